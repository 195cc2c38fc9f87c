/*
 * sluice run: serves a pipeline until it is told to stop.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "runtime/backlog.h"
#include "runtime/loader.h"
#include "serve/admin.h"
#include "serve/history.h"
#include "serve/notify.h"
#include "serve/observation.h"
#include "serve/reload.h"
#include "serve/server.h"

enum {
	STATUS_INTERRUPTED = 130,
	LEFT_BEHIND_S = 2, /* for workers that are still busy when the drain is over */
};

/* All that is running, in the order it was started; what takes webhooks comes last, since only drain() can end that. */
struct run {
	const struct config_request *request;
	const char *trace_file;
	struct history *history;
	struct config *config;
	struct trace_writer *trace;
	struct pipeline *pipeline;
	struct service service;
	char *exporter_module; /* NULL: nothing is exported */
	struct admin *admin;
	struct reloader *reloader;
	struct server *server;
};

static void leave_now(int signal_number)
{
	(void)signal_number;
	_exit(STATUS_INTERRUPTED);
}

/* Whoever waited for what is left has been told 503: a store that does not come back must not keep the process. */
static void leave_behind(int signal_number)
{
	(void)signal_number;
	_exit(STATUS_YES);
}

/* Blocked in every thread, so that the main thread alone takes them, when it looks. */
static sigset_t block_signals(void)
{
	sigset_t signals;
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	return signals;
}

/* From here on SIGINT ends the process at once. */
static void allow_interruption(void)
{
	sigset_t interruption;
	(void)signal(SIGINT, leave_now);
	(void)sigemptyset(&interruption);
	(void)sigaddset(&interruption, SIGINT);
	(void)pthread_sigmask(SIG_UNBLOCK, &interruption, NULL);
}

/* Once all of them can be reached. */
static void print_urls(const struct run *run)
{
	char url[LISTENER_URL_SIZE];
	log_flush();
	if (run->admin) {
		admin_get_url(run->admin, url);
		(void)printf("admin %s\n", url);
	}
	server_get_url(run->server, url);
	(void)printf("ready %s\n", url);
	(void)fflush(stdout);
}

static void tell_manager(const char *state)
{
	if (!notify_send(state))
		log_event(SLUICE_LOG_WARN, NULL, "notify_failed", sluice_text("state", state),
		          sluice_text("reason", strerror(errno)));
}

/* So that a trace says by itself what its figures are of. */
static struct trace_writer *create_trace(const struct config *config, const char *file, struct sluice_error *error)
{
	struct trace_names names[SLUICE_KIND_SLOTS] = {{.use = ""}};
	for (size_t kind = 0; kind < KIND_COUNT; kind++) {
		const struct stage_config *stage = &config->stages[kind];
		const char *const *spans = stage->present ? stage->plugin->ops.spans : NULL;
		if (stage->present)
			(void)snprintf(names[kind].use, sizeof(names[kind].use), "%s", stage->plugin->ops.name);
		for (size_t i = 0; spans && i < SLUICE_SPANS_MAX && spans[i]; i++)
			(void)snprintf(names[kind].spans[i], sizeof(names[kind].spans[i]), "%s", spans[i]);
	}
	return trace_create(file, TRACE_OF_SERVER, names, error);
}

/* It serves: a later process may come back to it. */
static void remember(struct run *run)
{
	struct sluice_error error = {0};
	if (!history_add(run->history, run->service.generation, run->config, &error))
		log_event(SLUICE_LOG_WARN, NULL, "history_not_written", sluice_text("reason", error.text));
}

/* The exporter is a module beside the stages. */
static bool start_export(struct run *run, struct sluice_error *error)
{
	char **folders = loader_stage_path(run->request->stage_path);
	struct sluice_error cause = {0};
	run->exporter_module = loader_find(folders, "export/otlp_http.so");
	loader_free_path(folders);
	if (!run->exporter_module)
		return sluice_error_set(
			error,
			"observability.otlp: export/otlp_http.so is not on the stage path: build it, or install it");
	return service_export(&run->service, run->config, run->exporter_module, &cause) ||
	       sluice_error_set(error, "observability.otlp: %s", cause.text);
}

static bool start(struct run *run, struct sluice_error *error)
{
	if (run->trace_file && !(run->trace = create_trace(run->config, run->trace_file, error)))
		return false;
	run->pipeline = pipeline_create(run->config, error);
	if (!run->pipeline)
		return false;
	service_init(&run->service, run->pipeline, run->trace);
	run->service.generation = history_next(run->history);
	if (run->config->observability.otlp_url && !start_export(run, error))
		return false;
	service_log_generation(&run->service);
	if (run->config->admin.enabled && !(run->admin = admin_start(&run->service, error)))
		return false;
	run->reloader = reloader_start(
		&(struct reloader_setup){.service = &run->service, .request = run->request, .history = run->history},
		error);
	if (!run->reloader || !(run->server = server_start(&run->service, error)))
		return false;
	pipeline_retain(run->pipeline);
	remember(run);
	reloader_begin(run->reloader, run->server);
	print_urls(run);
	tell_manager("READY=1");
	return true;
}

/* What happens once a second while nothing else does. */
static void tick(struct run *run, int64_t *pools_logged_ns)
{
	struct service *service = &run->service;
	int64_t now_ns = clock_now_ns();
	if (run->trace)
		trace_flush(run->trace);
	(void)pthread_rwlock_rdlock(&service->lock);
	int64_t every_ns = service->config->observability.pool_stats.ns;
	stats_tick(service->stats);
	if (every_ns > 0 && now_ns - *pools_logged_ns >= every_ns) {
		*pools_logged_ns = now_ns;
		observation_log_pools(service->pipeline);
	}
	(void)pthread_rwlock_unlock(&service->lock);
}

static void serve(struct run *run, const sigset_t *signals)
{
	int64_t pools_logged_ns = clock_now_ns();
	int64_t tick_at_ns = pools_logged_ns + NS_PER_S;
	for (;;) {
		int64_t left_ns = tick_at_ns - clock_now_ns();
		struct timespec left = {.tv_sec = 0, .tv_nsec = left_ns > 0 ? left_ns % NS_PER_S : 0};
		int number = left_ns > 0 ? sigtimedwait(signals, NULL, &left) : -1;
		if (number == SIGINT || number == SIGTERM)
			return;
		if (number == SIGHUP)
			reloader_ask(run->reloader, (struct reload_job){.kind = RELOAD_FILE}, NULL, NULL);
		if (clock_now_ns() < tick_at_ns)
			continue;
		tick(run, &pools_logged_ns);
		tick_at_ns += NS_PER_S;
	}
}

static void drain(struct run *run)
{
	int64_t most_ns = service_listen(&run->service)->drain.ns;
	log_event(SLUICE_LOG_INFO, NULL, "draining", sluice_real("seconds_at_most", (double)most_ns / 1e9));
	reloader_refuse(run->reloader);
	size_t left = server_stop(run->server, clock_now_ns() + most_ns);
	if (left > 0)
		log_event(SLUICE_LOG_WARN, NULL, "drain_incomplete", sluice_int("events_left", (int64_t)left));
	if (left > 0 || reloader_is_busy(run->reloader)) {
		(void)signal(SIGALRM, leave_behind);
		(void)alarm(LEFT_BEHIND_S);
	}
	log_event(SLUICE_LOG_INFO, NULL, "stopped", sluice_int("events_left", (int64_t)left));
}

static void finish(struct run *run, bool clean)
{
	struct sluice_error error = {0};
	reloader_stop(run->reloader);
	history_close(run->history, clean);
	admin_stop(run->admin);
	reloader_free(run->reloader);
	if (run->pipeline) {
		pipeline_destroy(run->service.pipeline);
		service_finish(&run->service);
	}
	free(run->exporter_module);
	if (run->server)
		server_free(run->server);
	if (!trace_close(run->trace, &error))
		log_event(SLUICE_LOG_ERROR, NULL, "trace_failed", sluice_text("reason", error.text));
	config_free(run->config);
}

/* False: it is time to stop. */
static bool wait_a_moment(void *context)
{
	const struct timespec moment = {.tv_nsec = 10 * NS_PER_MS};
	int number = sigtimedwait(context, NULL, &moment);
	return number != SIGINT && number != SIGTERM;
}

/* Where generations are kept for a later process; NULL: nowhere. systemd names it for a unit with StateDirectory=. */
static const char *state_folder(const char *option, struct arena *arena)
{
	const char *folders = option ? option : getenv("STATE_DIRECTORY");
	return folders && *folders ? arena_strndup(arena, folders, strcspn(folders, ":")) : NULL;
}

/* What serves is the pipeline file: unless somebody went back to an earlier generation and nobody has lifted that, or the
 * last process crashed and the file is broken since, or something was being tried. */
static struct config *choose_config(struct run *run, struct sluice_error *error)
{
	const struct history_latch *latch = history_latch(run->history);
	struct sluice_error cause = {0};
	if (latch) {
		log_event(SLUICE_LOG_WARN, NULL, "started_rolled_back", sluice_int("left", latch->left),
		          sluice_text("reason", latch->reason), sluice_text("lift", "sluice rollback --lift"));
		struct config *config = history_find(run->history, HISTORY_LAST, NULL, &cause);
		if (!config)
			(void)sluice_error_set(
				error,
				"generation %lld was left by a rollback, and the one before cannot be loaded: %s; "
				"`sluice run --lift` serves the pipeline file",
				(long long)latch->left, cause.text);
		return config;
	}
	const bool was_trying = history_crashed(run->history) && history_had_canary(run->history);
	struct config *config = was_trying ? NULL : config_load(run->request, error);
	if (was_trying)
		(void)sluice_error_set(error, "the last process ended in the middle of a canary");
	if (config || !history_crashed(run->history))
		return config;
	config = history_find(run->history, HISTORY_LAST, NULL, &cause);
	if (config)
		log_event(SLUICE_LOG_ERROR, NULL, "started_last_good", sluice_text("reason", error->text),
		          sluice_text("hint", was_trying ? "`sluice reload` serves the pipeline file"
		                                         : "mend the pipeline file, then `sluice reload`"));
	if (config)
		*error = (struct sluice_error){0};
	return config;
}

static bool prepare(struct run *run, const char *state, bool lifts, struct sluice_error *error)
{
	run->history = history_open(state, run->request, error);
	if (!run->history)
		return false;
	if (lifts)
		history_lift(run->history);
	run->config = choose_config(run, error);
	return run->config && (log_start() || sluice_error_set(error, "cannot start a thread for the log"));
}

static bool deliver_backlog(struct run *run, sigset_t *signals, struct sluice_error *error)
{
	struct config *earlier[HISTORY_KEPT + 1];
	history_load_earlier(run->history, earlier);
	return backlog_deliver(run->request, run->config, earlier, wait_a_moment, signals, error);
}

static int run_pipeline(struct run *run, const char *state, bool lifts)
{
	struct sluice_error error = {0};
	sigset_t signals = block_signals();
	bool started = prepare(run, state, lifts, &error) && deliver_backlog(run, &signals, &error) &&
	               start(run, &error);
	if (started) {
		serve(run, &signals);
		allow_interruption();
		tell_manager("STOPPING=1");
		drain(run);
	}
	finish(run, started);
	log_stop();
	if (!started)
		say(error.text);
	return started ? STATUS_YES : STATUS_CANNOT;
}

int cmd_run(int argc, char **argv)
{
	const char *state = NULL;
	bool lifts = false;
	struct run run = {.request = NULL};
	const struct flag flags[] = {
		{"state", "DIR",
	         "keep the last generations here, for the way back after a restart; systemd's StateDirectory= if it sets "
	         "STATE_DIRECTORY",
	         NULL, &state},
		{"lift", NULL, "serve the pipeline file although an earlier process was rolled back", &lifts, NULL},
		{"trace", "FILE", "write one record per request; trace.h in the documentation has the layout", NULL,
	         &run.trace_file},
		{NULL, NULL, NULL, NULL, NULL},
	};
	struct command command = {
		.usage = "run PIPELINE",
		.about =
			"Serves a pipeline. Prints `admin URL` and `ready URL` on stdout once it accepts requests; the log goes "
			"to stderr. SIGTERM and SIGINT finish what is in flight and stop it; a second SIGINT stops it at "
			"once. SIGHUP reads the pipeline again, as `sluice reload` does.",
		.example = "sluice run pipelines/quickstart.yaml --set listen.port=8080",
		.flags = flags,
		.common = FLAGS_PIPELINE,
		.operands_min = 1,
		.operands_max = 1,
	};
	struct arguments arguments;
	struct arena arena;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	arena_init(&arena, 256, NULL);
	run.request = &arguments.request;
	status = run_pipeline(&run, state_folder(state, &arena), lifts);
	arena_finish(&arena);
	arguments_finish(&arguments);
	return status;
}
