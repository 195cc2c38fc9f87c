/*
 * The exporter; see exporter.h.
 */
#include "otlp/exporter.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"

enum { PAUSE_MIN_MS = 1000, PAUSE_MAX_MS = 30000, RETRIES_S = 60 };

struct exporter {
	struct exporter_setup setup;
	void *module;
	const struct sluice_exporter_ops *ops;
	void *transport;

	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char *items; /* a ring */
	size_t first, count;
	bool stopping;
	_Atomic int64_t until_ns; /* when stopping: the end of its patience */

	_Atomic uint64_t exported, dropped, failed;
	bool in_trouble; /* the last batch failed, which the log has said */
};

static char *item_at(const struct exporter *exporter, size_t place)
{
	return exporter->items + place % exporter->setup.queue * exporter->setup.item_size;
}

void exporter_add(struct exporter *exporter, const void *item)
{
	(void)pthread_mutex_lock(&exporter->lock);
	bool fits = exporter->count < exporter->setup.queue;
	if (fits)
		memcpy(item_at(exporter, exporter->first + exporter->count++), item, exporter->setup.item_size);
	if (exporter->count == exporter->setup.batch)
		(void)pthread_cond_signal(&exporter->changed);
	(void)pthread_mutex_unlock(&exporter->lock);
	if (!fits)
		(void)atomic_fetch_add_explicit(&exporter->dropped, 1, memory_order_relaxed);
}

static struct timespec at(int64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

/* Until there is a batch, or the time has come, or it is to stop. */
static void await_batch(struct exporter *exporter)
{
	const struct timespec until = at(clock_now_ns() + exporter->setup.every_ns);
	while (!exporter->stopping && exporter->count < exporter->setup.batch &&
	       pthread_cond_timedwait(&exporter->changed, &exporter->lock, &until) == 0)
		;
}

/* The spans of the next batch, as a message; 0: nothing waits. */
static size_t take_batch(struct exporter *exporter, char *batch, struct buffer *message)
{
	(void)pthread_mutex_lock(&exporter->lock);
	await_batch(exporter);
	size_t count = exporter->count < exporter->setup.batch ? exporter->count : exporter->setup.batch, spans = 0;
	for (size_t i = 0; i < count; i++)
		memcpy(batch + i * exporter->setup.item_size, item_at(exporter, exporter->first + i),
		       exporter->setup.item_size);
	exporter->first = (exporter->first + count) % exporter->setup.queue;
	exporter->count -= count;
	(void)pthread_mutex_unlock(&exporter->lock);
	if (count == 0)
		return 0;
	buffer_empty(message);
	struct json_writer json = {.out = message};
	span_begin_message(&json, &exporter->setup.resource);
	for (size_t i = 0; i < count; i++)
		spans += exporter->setup.write(exporter->setup.context, batch + i * exporter->setup.item_size, &json);
	span_end_message(&json);
	return spans;
}

static bool is_over(void *context)
{
	const struct exporter *exporter = context;
	int64_t until_ns = atomic_load(&exporter->until_ns);
	return until_ns && clock_now_ns() >= until_ns;
}

static bool may_be_sent_again(int status)
{
	static const int statuses[] = {0, 429, 502, 503, 504};
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i] == status)
			return true;
	return false;
}

/* Doubles, with a part left to chance, so that many servers do not come back at once. */
static int64_t pause_ns(const struct sluice_exporter_answer *answer, unsigned tries)
{
	int64_t ms = (int64_t)PAUSE_MIN_MS << (tries < 5 ? tries : 5);
	uint32_t random;
	if (answer->retry_after_ns)
		return answer->retry_after_ns;
	digest_random(&random, sizeof(random));
	ms = ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : ms;
	return (ms / 2 + (int64_t)(random % (uint32_t)(ms / 2))) * NS_PER_MS;
}

/* False: there is no time for it. */
static bool wait_before_next(struct exporter *exporter, int64_t ns)
{
	const struct timespec until = at(clock_now_ns() + ns);
	(void)pthread_mutex_lock(&exporter->lock);
	while (!exporter->stopping && pthread_cond_timedwait(&exporter->changed, &exporter->lock, &until) == 0)
		;
	bool stopping = exporter->stopping;
	(void)pthread_mutex_unlock(&exporter->lock);
	return !stopping;
}

static void post(struct exporter *exporter, const struct buffer *message, struct sluice_exporter_answer *answer)
{
	const int64_t end_ns = clock_now_ns() + RETRIES_S * NS_PER_S;
	for (unsigned tries = 0;; tries++) {
		exporter->ops->post(exporter->transport,
		                    &(struct sluice_exporter_message){.type = "application/json",
		                                                      .body = message->data,
		                                                      .size = message->size,
		                                                      .is_over = is_over,
		                                                      .context = exporter},
		                    answer);
		int64_t wait_ns = pause_ns(answer, tries);
		if (!may_be_sent_again(answer->status) || clock_now_ns() + wait_ns > end_ns ||
		    !wait_before_next(exporter, wait_ns))
			return;
	}
}

/* What a collector says that has taken some of the spans; 0: all. */
static size_t count_rejected(const char *body)
{
	static const char name[] = "\"rejectedSpans\"";
	const char *found = strstr(body, name);
	if (!found)
		return 0;
	found += sizeof(name) - 1;
	return (size_t)strtoull(found + strspn(found, " \t\r\n:\""), NULL, 10);
}

static void say_trouble(struct exporter *exporter, const struct sluice_exporter_answer *answer, size_t spans)
{
	char reason[64];
	(void)snprintf(reason, sizeof(reason), "the collector answered %d", answer->status);
	const char *cause = answer->status      ? reason
	                    : is_over(exporter) ? "no answer came before the end of the process"
	                                        : answer->reason;
	if (!exporter->in_trouble)
		log_event(SLUICE_LOG_WARN, NULL, "spans_not_exported", sluice_int("spans", (int64_t)spans),
		          sluice_text("reason", cause));
	exporter->in_trouble = true;
}

static void conclude(struct exporter *exporter, const struct sluice_exporter_answer *answer, size_t spans)
{
	bool taken = answer->status / 100 == 2;
	size_t rejected = taken ? count_rejected(answer->body) : spans;
	rejected = rejected < spans ? rejected : spans;
	(void)atomic_fetch_add_explicit(&exporter->exported, spans - rejected, memory_order_relaxed);
	(void)atomic_fetch_add_explicit(&exporter->failed, rejected, memory_order_relaxed);
	if (!taken)
		say_trouble(exporter, answer, spans);
	else if (exporter->in_trouble)
		log_event(SLUICE_LOG_INFO, NULL, "spans_exported_again", sluice_int("spans", (int64_t)spans));
	exporter->in_trouble = exporter->in_trouble && !taken;
}

static bool goes_on(struct exporter *exporter)
{
	(void)pthread_mutex_lock(&exporter->lock);
	bool goes_on = !exporter->stopping || (exporter->count > 0 && !is_over(exporter));
	(void)pthread_mutex_unlock(&exporter->lock);
	return goes_on;
}

static void *run(void *argument)
{
	struct exporter *exporter = argument;
	char *batch = must_calloc(exporter->setup.batch, exporter->setup.item_size);
	struct buffer message = {0};
	struct sluice_exporter_answer answer;
	(void)pthread_setname_np(pthread_self(), "sluice-otlp");
	while (goes_on(exporter)) {
		size_t spans = take_batch(exporter, batch, &message);
		if (spans == 0)
			continue;
		post(exporter, &message, &answer);
		conclude(exporter, &answer, spans);
	}
	buffer_finish(&message);
	free(batch);
	return NULL;
}

static bool load(struct exporter *exporter, struct sluice_error *error)
{
	exporter->module = dlopen(exporter->setup.module, RTLD_NOW | RTLD_LOCAL);
	if (!exporter->module)
		return sluice_error_set(error, "%s", dlerror());
	exporter->ops = dlsym(exporter->module, SLUICE_EXPORTER_SYMBOL);
	return exporter->ops || sluice_error_set(error, "%s: has no %s: it is of another Sluice",
	                                         exporter->setup.module, SLUICE_EXPORTER_SYMBOL);
}

/* The module stays loaded: its libraries have threads and exit handlers of their own. */
static void finish(struct exporter *exporter)
{
	if (exporter->transport)
		exporter->ops->destroy(exporter->transport);
	(void)pthread_cond_destroy(&exporter->changed);
	(void)pthread_mutex_destroy(&exporter->lock);
	free(exporter->items);
	free(exporter);
}

static void init(struct exporter *exporter)
{
	pthread_condattr_t attributes;
	(void)pthread_mutex_init(&exporter->lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&exporter->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
}

struct exporter *exporter_create(const struct exporter_setup *setup, struct sluice_error *error)
{
	struct exporter *exporter = must_calloc(1, sizeof(*exporter));
	exporter->setup = *setup;
	exporter->items = must_calloc(setup->queue, setup->item_size);
	init(exporter);
	if (!load(exporter, error) || !(exporter->transport = exporter->ops->create(&exporter->setup.target, error)))
		goto finish;
	int problem = pthread_create(&exporter->thread, NULL, run, exporter);
	if (problem == 0)
		return exporter;
	(void)sluice_error_set(error, "cannot start a thread: %s", strerror(problem));
finish:
	finish(exporter);
	return NULL;
}

void exporter_destroy(struct exporter *exporter, int64_t patience_ns)
{
	if (!exporter)
		return;
	(void)pthread_mutex_lock(&exporter->lock);
	exporter->stopping = true;
	atomic_store(&exporter->until_ns, clock_now_ns() + patience_ns);
	(void)pthread_cond_signal(&exporter->changed);
	(void)pthread_mutex_unlock(&exporter->lock);
	(void)pthread_join(exporter->thread, NULL);
	finish(exporter);
}

void exporter_get_counts(const struct exporter *exporter, struct exporter_counts *counts_out)
{
	*counts_out = (struct exporter_counts){
		.exported = atomic_load_explicit(&exporter->exported, memory_order_relaxed),
		.dropped = atomic_load_explicit(&exporter->dropped, memory_order_relaxed),
		.failed = atomic_load_explicit(&exporter->failed, memory_order_relaxed),
	};
}
