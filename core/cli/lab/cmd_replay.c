/*
 * sluice replay: sends a file of webhooks to a server, on a schedule of its own.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/lab/print_run.h"
#include "client/client.h"
#include "lab/load/about.h"
#include "lab/load/schedule.h"
#include "lab/run/run.h"
#include "lab/run/seal.h"
#include "lab/trial/recording.h"

struct settings {
	const char *input, *url, *admin, *sign, *form, *output;
	int64_t concurrency, rate, requests, seed, retries;
	int arrivals;
	struct sluice_duration duration, timeout;
	bool fresh, keep_input;
};

static const struct sluice_option options[] = {
	SLUICE_OPTION_STRING(struct settings, input, .name = "input", .unit = "FILE", .flags = SLUICE_OPTION_REQUIRED,
                             .help = "the webhooks, as `sluice generate` writes them; - is standard input"),
	SLUICE_OPTION_STRING(struct settings, url, .name = "url", .unit = "URL", .flags = SLUICE_OPTION_REQUIRED,
                             .help = "where to send them"),
	SLUICE_OPTION_STRING(struct settings, output, .name = "output", .unit = "RUN/", .flags = SLUICE_OPTION_REQUIRED,
                             .help = "the run directory to create"),
	SLUICE_OPTION_INT(struct settings, concurrency, .name = "concurrency", .fallback = "50", .min = 1, .max = 20000,
                          .unit = "connections", .help = "connections"),
	SLUICE_OPTION_INT(struct settings, rate, .name = "rate", .fallback = "500", .min = 0, .max = 1000000,
                          .unit = "requests per second",
                          .help = "requests per second; 0: each connection sends as soon as it has its response"),
	SLUICE_OPTION_CHOICE(struct settings, arrivals, .name = "arrivals", .fallback = "uniform",
                             .choices = replay_arrivals_names, .help = "how they are spread over time"),
	SLUICE_OPTION_INT(struct settings, seed, .name = "seed", .fallback = "1", .min = 0, .max = INT64_MAX,
                          .help = "of the arrivals"),
	SLUICE_OPTION_INT(struct settings, requests, .name = "requests", .fallback = "0", .min = 0, .max = UINT32_MAX,
                          .unit = "requests", .help = "send only this many; 0: all"),
	SLUICE_OPTION_DURATION(struct settings, duration, .name = "duration", .fallback = "0s", .min = 0,
                               .max = INT64_MAX, .help = "send only the requests due within this time; 0s: all"),
	SLUICE_OPTION_STRING(struct settings, sign, .name = "sign", .unit = "SCHEME:SECRET", .help = signer_help),
	SLUICE_OPTION_STRING(struct settings, form, .name = "template", .unit = "NAME=VALUE,…",
                             .help = "the options of auth/hmac's template, for --sign template:SECRET"),
	SLUICE_OPTION_INT(struct settings, retries, .name = "retries", .fallback = "0", .min = 0, .max = 100,
                          .unit = "tries", .help = "further tries after a 503 or a broken connection; counted apart"),
	SLUICE_OPTION_DURATION(struct settings, timeout, .name = "timeout", .fallback = "60s", .min = NS_PER_MS,
                               .max = INT64_MAX, .help = "a response that takes longer counts as none"),
	SLUICE_OPTION_BOOL(struct settings, fresh, .name = "fresh",
                           .help = "put a new prefix before each message id, so that a file can be sent again"),
	SLUICE_OPTION_BOOL(struct settings, keep_input, .name = "keep-input",
                           .help = "put a copy of the input into the run directory"),
	SLUICE_OPTION_STRING(struct settings, admin, .name = "admin", .unit = "URL",
                             .help = "the server's admin listener, to record which pipeline it runs"),
	SLUICE_OPTION_END,
};

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

/* Without SA_RESTART, so that the loop hears of it at once. */
static void catch_interruption(void)
{
	struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

struct watch {
	bool is_terminal;
	size_t total;
};

static bool show_progress(void *context, const struct replay_progress *progress)
{
	const struct watch *watch = context;
	if (watch->is_terminal)
		(void)fprintf(stderr, "\r\033[Ksent %zu of %zu, %.0f/s, P95 %.2f ms, %zu unexpected responses%s",
		              progress->sent, watch->total, progress->rate, (double)progress->p95_ns / 1e6,
		              progress->wrong, interrupted ? ": ending" : "");
	return !interrupted;
}

/* How many of the file are sent: what --requests and --duration leave. */
static void limit(const struct settings *settings, struct replay_plan *plan)
{
	struct schedule schedule;
	if (settings->requests > 0 && (size_t)settings->requests < plan->count)
		plan->count = (size_t)settings->requests;
	if (settings->duration.ns == 0)
		return;
	schedule_init(&schedule, plan);
	plan->count = schedule_due_before(&schedule, plan->count, settings->duration.ns);
	schedule_finish(&schedule);
}

/* What the server says of itself; nothing if it was not asked. */
static bool ask_server(const struct settings *settings, json_t *arm, struct sluice_error *error)
{
	static const char *const wanted[] = {"pipeline", "sha256", "optimizations", "stages", "effective"};
	struct buffer body = {0};
	long status = 0;
	if (!settings->admin)
		return true;
	bool asked = client_get(settings->admin, "/api/pipeline", NULL, &body, &status, error);
	json_t *pipeline = asked && status == 200 ? json_loadb(body.data, body.size, 0, NULL) : NULL;
	if (asked && !pipeline)
		client_explain(&body, status, error);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		(void)json_object_set(arm, wanted[i], json_object_get(pipeline, wanted[i]));
	bool ok = pipeline != NULL;
	json_decref(pipeline);
	buffer_finish(&body);
	return ok;
}

static json_t *describe_arm(const struct settings *settings, const char *id_prefix, struct sluice_error *error)
{
	json_t *arm = json_pack("{s:s, s:s, s:s}", "label", "server", "url", settings->url, "id_prefix", id_prefix);
	if (ask_server(settings, arm, error))
		return json_pack("[o]", arm);
	json_decref(arm);
	return NULL;
}

/* All that a replay needs and leaves. */
struct session {
	const struct settings *settings;
	struct input input;
	struct signer *signer;
	struct replay_plan plan;
	char id_prefix[16];
	struct recording *recording;
	struct replay_result result;
};

static bool prepare(struct session *session, struct sluice_error *error)
{
	const struct settings *settings = session->settings;
	if (!input_read(&session->input, settings->input, error))
		return false;
	if (settings->sign && !(session->signer = signer_create(settings->sign, settings->form, error)))
		return false;
	session->plan = (struct replay_plan){
		.input = &session->input,
		.count = session->input.count,
		.target_count = 1,
		.connections = (size_t)settings->concurrency,
		.rate = (double)settings->rate,
		.arrivals = (enum replay_arrivals)settings->arrivals,
		.seed = (uint64_t)settings->seed,
		.signer = session->signer,
		.retries = (unsigned)settings->retries,
		.timeout_ns = settings->timeout.ns,
	};
	if (settings->duration.ns > 0 && settings->rate == 0)
		return sluice_error_set(error, "--duration: expected a --rate with it, or --requests in its place");
	limit(settings, &session->plan);
	if (session->plan.count == 0)
		return sluice_error_set(error, "%s: no requests to send", settings->input);
	return replay_target_from_url(settings->url, &session->plan.targets[0], error);
}

static bool record(struct session *session, struct sluice_error *error)
{
	const struct settings *settings = session->settings;
	session->recording = recording_begin(settings->output, "replay", error);
	if (!session->recording)
		return false;
	session->plan.origin_ns = recording_origin_ns(session->recording);
	session->plan.request_prefix = recording_request_prefix(session->recording);
	if (settings->fresh) /* the run's own mark, without its r */
		(void)snprintf(session->id_prefix, sizeof(session->id_prefix), "%s", session->plan.request_prefix + 2);
	session->plan.targets[0].id_prefix = session->id_prefix;
	json_t *arms = describe_arm(settings, session->id_prefix, error);
	if (arms)
		recording_put(session->recording, "arms", arms);
	return arms != NULL;
}

static bool keep_input(struct session *session, struct sluice_error *error)
{
	char *path = run_file(recording_directory(session->recording), RUN_INPUT);
	bool ok = !session->settings->keep_input || input_save(&session->input, path, error);
	free(path);
	return ok;
}

/* False if the run could not be written; *status_out is the answer otherwise. */
static bool conclude(struct session *session, int *status_out, struct sluice_error *error)
{
	const struct replay_result *result = &session->result;
	const struct replay_plan *plan = &session->plan;
	int64_t wall_ns = result->end_ns - result->start_ns;
	double seconds = (double)wall_ns / 1e9;
	bool kept = keep_input(session, error);
	json_t *results = about_results(&session->input, result->records, result->count, plan->signer != NULL,
	                                result->retried, seconds);
	json_t *generator = about_generator(result->records, result->count, about_cpu_share(result->cpu_ns, wall_ns),
	                                    about_processors());
	recording_put(session->recording, "input",
	              about_input(&session->input, session->settings->input, plan->first, plan->count));
	recording_put(session->recording, "schedule", about_schedule(plan, "single", 1, seconds));
	recording_put(session->recording, "sign",
	              plan->signer ? json_string(signer_scheme(plan->signer)) : json_null());
	recording_put(session->recording, "retries", json_integer(plan->retries));
	recording_put(session->recording, "interrupted", json_boolean(result->interrupted));
	recording_put(session->recording, "generator", json_incref(generator));
	recording_put(session->recording, "results", json_incref(results));
	bool ok = recording_end(session->recording, result->records, result->count, NULL, error) && kept &&
	          seal_rest(session->settings->output, error);
	session->recording = NULL;
	if (ok)
		print_run(results, generator, session->settings->output);
	*status_out = status_of_run(results, generator);
	json_decref(results);
	json_decref(generator);
	return ok;
}

static int replay(const struct settings *settings)
{
	struct sluice_error error = {0};
	struct session session = {.settings = settings};
	int status = STATUS_CANNOT;
	input_init(&session.input);
	struct watch watch = {.is_terminal = isatty(STDERR_FILENO) == 1};
	bool ok = prepare(&session, &error) && record(&session, &error);
	if (ok) {
		catch_interruption();
		watch.total = session.plan.count;
		ok = replay_run(&session.plan, show_progress, &watch, &session.result, &error);
		if (watch.is_terminal)
			(void)fprintf(stderr, "\r\033[K");
	}
	if (!ok || !conclude(&session, &status, &error)) {
		say(error.text);
		status = STATUS_CANNOT;
	}
	replay_free(&session.result);
	recording_abandon(session.recording);
	signer_free(session.signer);
	input_finish(&session.input);
	return status;
}

int cmd_replay(int argc, char **argv)
{
	struct settings settings;
	struct command command = {
		.usage = "replay",
		.about =
			"Sends a file of webhooks to a server on a schedule that is fixed before it starts, and writes "
			"down what came back. Latency counts from the moment a request was meant to go, so a server that "
			"falls behind is charged for what waits. The events of a stream go one after the other. Ctrl-C "
			"ends it with what was measured. Exit status: 0 done, 1 there were answers that an event of its "
			"kind must not get, 2 it could not be done, 30 INVALID: the generator was late or took too much "
			"of the machine, or the ids were not new.",
		.example =
			"sluice replay --input events.jsonl --url http://127.0.0.1:5000/webhooks --rate 500 --output run-1/",
		.options = options,
		.config = &settings,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	status = replay(&settings);
	arguments_finish(&arguments);
	return status;
}
