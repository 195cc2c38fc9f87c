/*
 * The reloader; see reload.h.
 */
#include "serve/reload.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/canary.h"
#include "serve/canary_change.h"
#include "serve/guard.h"
#include "serve/history.h"
#include "serve/reload_result.h"
#include "serve/restart_bound.h"
#include "serve/server.h"
#include "serve/service.h"

enum {
	WAIT_S = 10,     /* for the generation before to be retired */
	LOOK_MS = 1,     /* while it is not */
	WRITE_MS = 250,  /* until what could not be written is tried again */
	STATUS_OK = 200, /* HTTP */
	STATUS_LATCHED = 409,
	STATUS_REFUSED = 422,
	STATUS_UNAVAILABLE = 503,
};

#define SHUTTING_DOWN "the server is shutting down"

struct task {
	struct task *next;
	struct reload_job job;
	reload_done_fn done;
	void *context;
};

struct reloader {
	struct service *service;
	struct server *server; /* NULL: not yet */
	const struct config_request *request;
	struct history *history;
	const struct config *started; /* as the listeners are */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct task *first, *last;
	bool stopping;
	atomic_bool refusing;
	int64_t retiring_since_ns;
	int64_t write_at_ns;   /* the thread's */
	struct guard guard;    /* the thread's */
	struct canary *canary; /* the thread's */
};

static void fail(struct reload_result *result, int status, const struct sluice_error *error)
{
	result->status = status;
	result->error = *error;
	log_event(SLUICE_LOG_ERROR, NULL, "reload_failed", sluice_text("reason", error->text));
}

static void show_latch(struct reloader *reloader)
{
	service_show_latch(reloader->service, history_latch(reloader->history));
}

static bool goes_back(struct reload_job job)
{
	return job.kind == RELOAD_BACK || job.kind == RELOAD_BASELINE;
}

/* Before the change, so that a crash in the middle of it leaves a server that goes back at its next start. */
static void latch(struct reloader *reloader, struct reload_job job, const struct config *config, const char *reason)
{
	struct sluice_error error = {0};
	struct history_latch latch = {.left = reloader->service->generation, .at_ms = clock_wall_ns() / NS_PER_MS};
	(void)snprintf(latch.reason, sizeof(latch.reason), "%s",
	               reason                        ? reason
	               : job.kind == RELOAD_BASELINE ? "rollback --baseline"
	                                             : "rollback");
	/* What fails is tried again, and told, by remember(). */
	(void)history_go_back(reloader->history, latch.left + 1, config, &latch, &error);
	show_latch(reloader);
}

/* NULL, and the result says why. */
static struct config *load(struct reloader *reloader, struct reload_job job, struct reload_result *result)
{
	const struct history_latch *latch = history_latch(reloader->history);
	struct sluice_error error = {0};
	struct config *config = NULL;
	int status = STATUS_REFUSED;
	if (job.kind == RELOAD_BASELINE) {
		config = history_baseline(reloader->history, &error);
	} else if (job.kind == RELOAD_BACK) {
		config = history_find(reloader->history, job.number, reloader->service->config, &error);
	} else if (job.kind == RELOAD_FILE && latch) {
		status = STATUS_LATCHED;
		(void)sluice_error_set(
			&error,
			"generation %lld was left by a rollback: to serve the pipeline file again, lift it with "
			"`sluice rollback --lift`",
			(long long)latch->left);
	} else {
		config = config_load(reloader->request, &error);
	}
	if (!config)
		fail(result, status, &error);
	return config;
}

static void remember(struct reloader *reloader, struct reload_job job, const struct pipeline *pipeline,
                     struct reload_result *result)
{
	if (job.kind == RELOAD_LIFT)
		history_lift(reloader->history);
	if (!history_add(reloader->history, reloader->service->generation, pipeline_config(pipeline), &result->unsaved))
		log_event(SLUICE_LOG_WARN, NULL, "history_not_written", sluice_text("reason", result->unsaved.text));
	show_latch(reloader);
}

static void withdraw(struct reloader *reloader)
{
	struct sluice_error error = {0};
	if (!history_withdraw(reloader->history, reloader->service->generation + 1, &error))
		log_event(SLUICE_LOG_WARN, NULL, "history_not_written", sluice_text("reason", error.text));
	show_latch(reloader);
}

/* False: it is too late, and the pipeline is gone. */
static bool publish(struct reloader *reloader, struct pipeline *pipeline)
{
	struct service *service = reloader->service;
	(void)pthread_rwlock_wrlock(&service->lock);
	const bool goes_on = !atomic_load(&reloader->refusing);
	if (goes_on) {
		generations_publish(service->generations, pipeline);
		service_follow(service, pipeline);
		server_follow(reloader->server);
	}
	(void)pthread_rwlock_unlock(&service->lock);
	if (!goes_on)
		pipeline_retire(pipeline);
	return goes_on;
}

/* `reason`: why it goes back; NULL: somebody said so. */
static void change(struct reloader *reloader, struct reload_job job, const char *reason, struct reload_result *result)
{
	struct service *service = reloader->service;
	struct pipeline *before = service->pipeline;
	struct reload_steps steps = {.begun_ns = clock_now_ns()};
	struct sluice_error error = {0};
	if (job.guard_ns > 0 && !guard_may_begin(service, &error)) {
		fail(result, STATUS_LATCHED, &error);
		return;
	}
	struct config *config = load(reloader, job, result);
	if (!config)
		return;
	reloader->guard.until_ns = 0;
	steps.loaded_ns = clock_now_ns();
	struct pipeline *pipeline = pipeline_create_next(config, before, &error);
	steps.created_ns = clock_now_ns();
	if (pipeline && goes_back(job))
		latch(reloader, job, config, reason);
	if (pipeline && !publish(reloader, pipeline)) {
		if (goes_back(job))
			withdraw(reloader);
		(void)sluice_error_set(&error, SHUTTING_DOWN);
		pipeline = NULL;
	}
	config_free(config); /* the pipeline holds it */
	if (!pipeline) {
		fail(result, STATUS_UNAVAILABLE, &error);
		return;
	}
	steps.published_ns = reloader->retiring_since_ns = clock_now_ns();
	if (job.guard_ns > 0)
		guard_begin(&reloader->guard, service, job.guard_ns, service->generation - 1);
	if (goes_back(job))
		log_event(SLUICE_LOG_WARN, NULL, "rolled_back", sluice_int("left", service->generation - 1),
		          sluice_int("generation", service->generation),
		          sluice_real("after_ms", (double)(steps.published_ns - steps.begun_ns) / (double)NS_PER_MS),
		          sluice_text("reason", history_latch(reloader->history)->reason),
		          sluice_text("lift", "sluice rollback --lift"));
	service_log_generation(service);
	restart_bound_log(reloader->started, pipeline_config(pipeline));
	remember(reloader, job, pipeline, result);
	result->status = STATUS_OK;
	reload_result_write(result, &(struct reload_outcome){.service = service,
	                                                     .started = reloader->started,
	                                                     .now = pipeline,
	                                                     .before = before,
	                                                     .steps = steps,
	                                                     .is_durable = history_is_durable(reloader->history)});
	generations_hand_over(service->generations);
}

/* True: only one generation is there. */
static bool retire(struct reloader *reloader)
{
	struct service *service = reloader->service;
	if (generations_live(service->generations) == 1)
		return true;
	if (!generations_have_retired(service->generations))
		return false;
	(void)pthread_rwlock_wrlock(&service->lock);
	struct pipeline *pipeline = generations_take_retired(service->generations);
	(void)pthread_rwlock_unlock(&service->lock);
	int64_t number = service->generation - (pipeline_number(service->pipeline) - pipeline_number(pipeline));
	pipeline_retire(pipeline);
	log_event(SLUICE_LOG_INFO, NULL, "generation_retired", sluice_int("generation", number),
	          sluice_real("after_ms", (double)(clock_now_ns() - reloader->retiring_since_ns) / (double)NS_PER_MS));
	return generations_live(service->generations) == 1;
}

static void look_again(struct reloader *reloader, int64_t pause_ns)
{
	int64_t until_ns = clock_now_ns() + pause_ns;
	struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S)};
	(void)pthread_cond_timedwait(&reloader->changed, &reloader->lock, &until);
}

static struct canary_change canary_of(struct reloader *reloader)
{
	return (struct canary_change){
		.service = reloader->service,
		.server = reloader->server,
		.request = reloader->request,
		.history = reloader->history,
		.canary = reloader->canary,
		.refusing = &reloader->refusing,
	};
}

/* With the lock, which is let go meanwhile. */
static void look_at_canary(struct reloader *reloader)
{
	const struct canary_change canary = canary_of(reloader);
	const enum canary_phase before = canary_phase(reloader->canary);
	(void)pthread_mutex_unlock(&reloader->lock);
	canary_change_look(&canary);
	(void)pthread_mutex_lock(&reloader->lock);
	if (canary_phase(reloader->canary) != before)
		reloader->retiring_since_ns = clock_now_ns();
}

/* It goes on by itself, and will not be there any more. */
static bool ends(enum canary_phase phase)
{
	return phase == CANARY_PROMOTED || phase == CANARY_LEAVING;
}

/* With the lock, which is let go meanwhile. The way back does not wait for events that the generation before still has: its
 * store may be what hangs. */
static bool wait_for_retirement(struct reloader *reloader, bool goes_back, struct sluice_error *error)
{
	const int64_t until_ns = clock_now_ns() + WAIT_S * NS_PER_S;
	for (;;) {
		(void)pthread_mutex_unlock(&reloader->lock);
		bool is_alone = retire(reloader);
		(void)pthread_mutex_lock(&reloader->lock);
		if (ends(canary_phase(reloader->canary)))
			look_at_canary(reloader);
		is_alone = is_alone && canary_phase(reloader->canary) == CANARY_NONE;
		if (is_alone || (goes_back && generations_have_room(reloader->service->generations)))
			return true;
		if (clock_now_ns() >= until_ns || atomic_load(&reloader->refusing))
			break;
		look_again(reloader, LOOK_MS * NS_PER_MS);
	}
	return sluice_error_set(error, "the generation before still has %zu events: try again when they are stored",
	                        generations_left(reloader->service->generations));
}

/* Whoever goes back leaves a canary as well; nothing else is changed beside one, nor does one begin under a guard. */
static bool makes_way(struct reloader *reloader, struct reload_job job, struct reload_result *result)
{
	const enum canary_phase phase = canary_phase(reloader->canary);
	const char *obstacle = NULL;
	if (job.kind == RELOAD_CANARY_START && reloader->guard.until_ns)
		obstacle = "a guard looks at the last change: try again when it has passed";
	else if (!goes_back(job) && !canary_change_is(job) && phase != CANARY_NONE && !ends(phase))
		obstacle = "a canary is on: promote or abort it first";
	if (goes_back(job) && phase != CANARY_NONE && phase != CANARY_LEAVING) {
		canary_leave(reloader->canary, NULL);
		log_event(SLUICE_LOG_WARN, NULL, "canary_aborted", sluice_text("reason", "rollback"));
	}
	if (!obstacle)
		return true;
	result->status = STATUS_LATCHED;
	(void)sluice_error_set(&result->error, "%s", obstacle);
	return false;
}

static bool waits(struct reloader *reloader, struct reload_job job)
{
	const enum canary_phase phase = canary_phase(reloader->canary);
	return !canary_change_is(job) || (job.kind == RELOAD_CANARY_START && (phase == CANARY_NONE || ends(phase)));
}

/* With the lock. */
static void run_task(struct reloader *reloader)
{
	struct task *task = reloader->first;
	const struct reload_job job = task->job;
	struct reload_result result = {.status = STATUS_UNAVAILABLE};
	if (atomic_load(&reloader->refusing))
		(void)sluice_error_set(&result.error, SHUTTING_DOWN);
	else if (!makes_way(reloader, job, &result) ||
	         (waits(reloader, job) && !wait_for_retirement(reloader, goes_back(job), &result.error)))
		log_event(SLUICE_LOG_ERROR, NULL, "reload_failed", sluice_text("reason", result.error.text));
	const bool goes_on = !result.error.text[0];
	(void)pthread_mutex_unlock(&reloader->lock);
	const struct canary_change canary = canary_of(reloader);
	if (goes_on && canary_change_is(job))
		canary_change(&canary, job, &result);
	else if (goes_on)
		change(reloader, job, NULL, &result);
	if (task->done)
		task->done(task->context, &result);
	buffer_finish(&result.body);
	(void)pthread_mutex_lock(&reloader->lock);
	reloader->first = task->next;
	free(task);
}

static int64_t ms_since(int64_t ns, int64_t since_ns)
{
	return ns > since_ns ? (ns - since_ns) / NS_PER_MS : 0;
}

/* With the lock, which is let go meanwhile. */
static void go_back(struct reloader *reloader, const char *reason)
{
	const struct guard guard = reloader->guard;
	const int64_t tripped_ns = clock_now_ns();
	struct reload_result result = {0};
	reloader->guard.until_ns = 0;
	if (!wait_for_retirement(reloader, true, &result.error)) {
		log_event(SLUICE_LOG_ERROR, NULL, "guard_cannot_go_back", sluice_text("reason", result.error.text));
		return;
	}
	(void)pthread_mutex_unlock(&reloader->lock);
	change(reloader, (struct reload_job){.kind = RELOAD_BACK, .number = guard.before}, reason, &result);
	const int64_t now_ns = clock_now_ns();
	log_event(SLUICE_LOG_ERROR, NULL, "guard_tripped", sluice_text("reason", reason),
	          sluice_int("onset_ms", guard.onset_ns ? ms_since(guard.onset_ns, guard.begun_ns) : -1),
	          sluice_int("tripped_ms", ms_since(tripped_ns, guard.begun_ns)),
	          sluice_int("over_ms", ms_since(now_ns, guard.begun_ns)), sluice_int("status", result.status));
	buffer_finish(&result.body);
	(void)pthread_mutex_lock(&reloader->lock);
}

/* With the lock, which is let go meanwhile. */
static void look_at_guard(struct reloader *reloader)
{
	struct sluice_error reason = {0};
	(void)pthread_mutex_unlock(&reloader->lock);
	const bool trips = guard_trips(&reloader->guard, reloader->service, &reason);
	(void)pthread_mutex_lock(&reloader->lock);
	if (trips && !atomic_load(&reloader->refusing)) {
		go_back(reloader, reason.text);
	} else if (clock_now_ns() >= reloader->guard.until_ns) {
		reloader->guard.until_ns = 0;
		log_event(SLUICE_LOG_INFO, NULL, "guard_passed",
		          sluice_int("generation", reloader->service->generation));
	}
}

/* With the lock, which is let go meanwhile. */
static void keep_writing(struct reloader *reloader)
{
	struct sluice_error error = {0};
	if (clock_now_ns() < reloader->write_at_ns)
		return;
	(void)pthread_mutex_unlock(&reloader->lock);
	if (history_save(reloader->history, 0, &error))
		log_event(SLUICE_LOG_INFO, NULL, "history_written",
		          sluice_int("generation", reloader->service->generation));
	reloader->write_at_ns = clock_now_ns() + WRITE_MS * NS_PER_MS;
	(void)pthread_mutex_lock(&reloader->lock);
}

static void *run(void *argument)
{
	struct reloader *reloader = argument;
	(void)pthread_setname_np(pthread_self(), "sluice-reload");
	(void)pthread_mutex_lock(&reloader->lock);
	while (reloader->first || !reloader->stopping) {
		if (reloader->first) {
			run_task(reloader);
			continue;
		}
		(void)pthread_mutex_unlock(&reloader->lock);
		bool is_alone = retire(reloader);
		(void)pthread_mutex_lock(&reloader->lock);
		if (reloader->first || reloader->stopping)
			continue;
		const bool is_saved = !reloader->server || history_is_saved(reloader->history);
		if (!is_saved)
			keep_writing(reloader);
		if (reloader->guard.until_ns)
			look_at_guard(reloader);
		const enum canary_phase phase = canary_phase(reloader->canary);
		if (phase != CANARY_NONE && !atomic_load(&reloader->refusing))
			look_at_canary(reloader);
		if (phase == CANARY_RUNNING)
			look_again(reloader, CANARY_LOOK_MS * NS_PER_MS);
		else if (!is_alone || phase != CANARY_NONE)
			look_again(reloader, LOOK_MS * NS_PER_MS);
		else if (reloader->guard.until_ns)
			look_again(reloader, GUARD_LOOK_MS * NS_PER_MS);
		else if (!is_saved && !reloader->first && !reloader->stopping)
			look_again(reloader, WRITE_MS * NS_PER_MS);
		else if (!reloader->first && !reloader->stopping)
			(void)pthread_cond_wait(&reloader->changed, &reloader->lock);
	}
	(void)pthread_mutex_unlock(&reloader->lock);
	return NULL;
}

struct reloader *reloader_start(const struct reloader_setup *setup, struct sluice_error *error)
{
	struct reloader *reloader = must_calloc(1, sizeof(*reloader));
	reloader->service = setup->service;
	reloader->request = setup->request;
	reloader->history = setup->history;
	reloader->started = config_share(setup->service->config);
	reloader->canary = setup->service->canary = canary_create(setup->service);
	setup->service->ask_reloader = reloader_ask;
	show_latch(reloader);
	(void)pthread_mutex_init(&reloader->lock, NULL);
	pthread_condattr_t attributes;
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&reloader->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	int problem = pthread_create(&reloader->thread, NULL, run, reloader);
	if (problem == 0)
		return reloader;
	(void)sluice_error_set(error, "cannot start a thread: %s", strerror(problem));
	reloader_free(reloader);
	return NULL;
}

void reloader_begin(struct reloader *reloader, struct server *server)
{
	(void)pthread_mutex_lock(&reloader->lock);
	reloader->server = server;
	(void)pthread_cond_signal(&reloader->changed); /* there may be something to write */
	(void)pthread_mutex_unlock(&reloader->lock);
	atomic_store(&reloader->service->reloader, reloader);
}

/* With the lock. False: the thread takes nothing more. */
static bool enqueue(struct reloader *reloader, struct reload_job job, reload_done_fn done, void *context)
{
	if (reloader->stopping || atomic_load(&reloader->refusing))
		return false;
	struct task *task = must_calloc(1, sizeof(*task));
	*task = (struct task){.job = job, .done = done, .context = context};
	if (reloader->first)
		reloader->last->next = task;
	else
		reloader->first = task;
	reloader->last = task;
	(void)pthread_cond_signal(&reloader->changed);
	return true;
}

void reloader_ask(struct reloader *reloader, struct reload_job job, reload_done_fn done, void *context)
{
	(void)pthread_mutex_lock(&reloader->lock);
	const bool is_taken = enqueue(reloader, job, done, context);
	(void)pthread_mutex_unlock(&reloader->lock);
	struct reload_result result = {.status = STATUS_UNAVAILABLE, .error = {SHUTTING_DOWN}};
	if (!is_taken && done)
		done(context, &result);
}

/* What is being published is through when the lock is free. */
void reloader_refuse(struct reloader *reloader)
{
	atomic_store(&reloader->refusing, true);
	(void)pthread_rwlock_wrlock(&reloader->service->lock);
	(void)pthread_rwlock_unlock(&reloader->service->lock);
}

bool reloader_is_busy(struct reloader *reloader)
{
	(void)pthread_mutex_lock(&reloader->lock);
	bool is_busy = reloader->first != NULL;
	(void)pthread_mutex_unlock(&reloader->lock);
	return is_busy;
}

void reloader_stop(struct reloader *reloader)
{
	if (!reloader)
		return;
	(void)pthread_mutex_lock(&reloader->lock);
	reloader->stopping = true;
	(void)pthread_cond_signal(&reloader->changed);
	(void)pthread_mutex_unlock(&reloader->lock);
	(void)pthread_join(reloader->thread, NULL);
}

void reloader_free(struct reloader *reloader)
{
	if (!reloader)
		return;
	(void)pthread_cond_destroy(&reloader->changed);
	(void)pthread_mutex_destroy(&reloader->lock);
	reloader->service->canary = NULL;
	canary_destroy(reloader->canary);
	config_free((struct config *)(uintptr_t)reloader->started);
	free(reloader);
}
