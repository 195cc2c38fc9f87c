/*
 * What every stage promises, whatever its kind: here, of the events that go through it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "conform/check.h"
#include "conform/crowd.h"
#include "conform/sample.h"
#include "conform/suite_common.h"
#include "conform/toll.h"

enum {
	EVENTS = 400,
	THREADS = 4,
	OBSERVE_MAX_MS = 500, /* sanitizers and a busy machine included */
};

static void expect_verdict(struct check *check, const struct sluice_event *event, enum sluice_verdict verdict)
{
	const char *name = verdict_name(verdict);
	check_that(check, verdict_fits(verdict, check_ops(check)->kind), "%s (%d) is no verdict of its kind", name,
	           (int)verdict);
	int status = bench_status(event);
	if (verdict == SLUICE_REJECT)
		check_that(check, status >= 400 && status <= 499,
		           "REJECT was expected with a status of 400 to 499, got %d", status);
	if (verdict >= SLUICE_REJECT)
		check_that(check, bench_detail(event)[0], "%s was expected with a sentence, got none", name);
	check_that(check, bench_delay_ns(event) >= 0, "%s came with a delay of %lld ns", name,
	           (long long)bench_delay_ns(event));
}

static void verdicts(struct check *check)
{
	struct bench *bench = check_open(check);
	if (!sample_is_processed(check))
		check_skip(check, "it has no process()");
	for (unsigned long i = 0; i < EVENTS; i++) {
		/* Now and then one comes again. */
		struct sluice_event *event = sample_event(check, bench, i % 7 ? i : i / 7);
		enum sluice_verdict verdict = bench_process(bench, event);
		expect_verdict(check, event, verdict);
		bench_settle(bench, event, verdict);
	}
}

static void starved(struct check *check)
{
	sample_need_front(check);
	struct bench *bench = check_open(check);
	for (unsigned long i = 0; i < SAMPLE_SORTS; i++) {
		struct sluice_event *fed = sample_event(check, bench, i);
		enum sluice_verdict usual = sample_run(check, bench, fed);
		struct sluice_event *event = sample_event(check, bench, SAMPLE_SORTS + i);
		bench_starve(event);
		enum sluice_verdict verdict = sample_run(check, bench, event);
		check_that(check, verdict == usual || verdict == SLUICE_RETRY,
		           "when sluice_alloc() gives NULL, RETRY was expected, got verdict %d", (int)verdict);
		verdict = sample_run(check, bench, sample_event(check, bench, 2 * SAMPLE_SORTS + i));
		check_that(check, verdict == usual,
		           "after an event without memory the next one was expected to get verdict %d, got %d",
		           (int)usual, (int)verdict);
	}
}

/* The same again and again, so that what may be remembered is. */
static void run_once(struct check *check, void *bench, size_t round)
{
	(void)sample_run(check, bench, sample_event(check, bench, round % SAMPLE_SORTS));
}

static void fail_one_after_it_passed(struct check *check, void *bench, size_t round)
{
	static const enum sluice_verdict ends[] = {SLUICE_FAIL, SLUICE_RETRY, SLUICE_REJECT, SLUICE_DONE};
	struct sluice_event *event = sample_event(check, bench, round % SAMPLE_SORTS);
	enum sluice_verdict verdict = bench_process(bench, event);
	bench_settle(bench, event, verdict == SLUICE_PASS ? ends[round % 4] : verdict);
}

static void settled(struct check *check)
{
	sample_need_front(check);
	struct bench *bench = check_open(check), *other = check_open(check);
	toll_expect_none(check, EVENTS, run_once, bench, "process() and settle()");
	toll_expect_none(check, EVENTS, fail_one_after_it_passed, other, "process() and settle() with every verdict");
}

static void keeps_nothing(struct check *check)
{
	if (!sample_is_processed(check))
		sample_need_front(check);
	struct bench *bench = check_open(check);
	for (unsigned long i = 0; i < EVENTS; i++)
		(void)sample_run(check, bench, sample_event(check, bench, i % 7 ? i : i / 7));
	free(bench_observe(bench));
	bench_close(bench);
}

/* One of several threads: every event must come out as it does alone. */
struct worker_context {
	struct check *check;
	struct bench *bench;
	const enum sluice_verdict *expected; /* by sort; NULL: not known */
};

static void work(void *context_, unsigned thread)
{
	struct worker_context *context = context_;
	for (unsigned long i = 0; i < EVENTS; i++) {
		unsigned long number = (1 + thread) * 100000 + i;
		struct sluice_event *event = sample_event(context->check, context->bench, number);
		struct sluice_bytes body = event->body;
		enum sluice_verdict verdict = bench_process(context->bench, event);
		check_that(context->check, verdict == context->expected[number % SAMPLE_SORTS],
		           "with %d threads an event got verdict %d, alone %d", THREADS, (int)verdict,
		           (int)context->expected[number % SAMPLE_SORTS]);
		check_that(context->check, event->body.data == body.data && event->body.size == body.size,
		           "the body of an event was replaced");
		bench_settle(context->bench, event, verdict);
		if (i % 16 == 0)
			free(bench_observe(context->bench));
	}
}

static void learn_expected(struct check *check, struct bench *bench, enum sluice_verdict expected[SAMPLE_SORTS])
{
	for (unsigned long i = 0; i < SAMPLE_SORTS; i++)
		expected[i] = sample_run(check, bench, sample_event(check, bench, i));
}

static void threads(struct check *check)
{
	sample_need_front(check);
	enum sluice_verdict expected[SAMPLE_SORTS];
	struct bench *bench = check_open(check);
	struct worker_context context = {check, bench, expected};
	learn_expected(check, bench, expected);
	crowd_run(check, THREADS, work, &context);
	bench_close(bench);
}

static void drain_soon(void *context_, unsigned thread)
{
	struct worker_context *context = context_;
	if (thread > 0) {
		work(context, thread);
		return;
	}
	for (unsigned long i = 0; i < EVENTS / 4; i++)
		(void)sample_run(context->check, context->bench, sample_event(context->check, context->bench, i));
	context->bench->ops->drain(&context->bench->stage);
}

static void drains(struct check *check)
{
	sample_need_front(check);
	if (!check_ops(check)->drain)
		check_skip(check, "it has no drain()");
	enum sluice_verdict expected[SAMPLE_SORTS];
	struct bench *bench = check_open(check);
	struct worker_context context = {check, bench, expected};
	learn_expected(check, bench, expected);
	crowd_run(check, THREADS, drain_soon, &context);
	work(&context, THREADS); /* what is inside still goes through */
	if (check_ops(check)->destroy)
		check_ops(check)->destroy(&bench->stage);
}

static struct watcher *watcher_of(struct sluice_observer *observer)
{
	return (struct watcher *)(void *)observer;
}

static void expect_names(struct check *check, const char *name, const char *label, const char *label_value)
{
	check_that(check, common_is_name(name) && !strpbrk(name, ".-"),
	           "gauge \"%s\": expected a name of a-z, 0-9 and _", name ? name : "");
	check_that(check, !label == !label_value, "gauge %s: expected a label with a value, or neither", name);
}

static void see_gauge(struct sluice_observer *observer, const char *name, const char *label, const char *label_value,
                      double value, const char *help)
{
	struct watcher *watcher = watcher_of(observer);
	(void)help;
	expect_names(watcher->check, name, label, label_value);
	check_that(watcher->check, isfinite(value), "gauge %s: expected a number, got %g", name, value);
	watcher->gauges++;
}

static void see_text(struct sluice_observer *observer, const char *name, const char *label, const char *label_value,
                     const char *value, const char *help)
{
	struct check *check = watcher_of(observer)->check;
	(void)help;
	expect_names(check, name, label, label_value);
	check_that(check, value != NULL, "text %s: expected one, got NULL", name);
}

static void see_unhealthy(struct sluice_observer *observer, const char *reason)
{
	check_that(watcher_of(observer)->check, reason && *reason, "observe() said unhealthy without a reason");
}

struct watcher common_watch_observe(struct check *check)
{
	return (struct watcher){.pub = {.gauge = see_gauge, .unhealthy = see_unhealthy}, .check = check};
}

struct watcher common_watch_stats(struct check *check)
{
	struct watcher watcher = common_watch_observe(check);
	watcher.pub.text = see_text;
	return watcher;
}

static void watch_and_work(void *context_, unsigned thread)
{
	struct worker_context *context = context_;
	const struct bench *bench = context->bench;
	struct watcher watcher = common_watch_observe(context->check);
	for (unsigned long i = 0; i < EVENTS; i++) {
		if (thread > 0 && sample_is_processed(context->check)) {
			(void)sample_run(context->check, context->bench,
			                 sample_event(context->check, context->bench, thread * 100000 + i));
			continue;
		}
		int64_t began = clock_now_ns();
		bench->ops->observe((struct sluice_stage *)&bench->stage, &watcher.pub);
		int64_t took_ms = (clock_now_ns() - began) / NS_PER_MS;
		check_that(context->check, took_ms <= OBSERVE_MAX_MS,
		           "observe() was expected to be quick, and took %lld ms", (long long)took_ms);
	}
}

static void observes(struct check *check)
{
	if (!check_ops(check)->observe)
		check_skip(check, "it has no observe()");
	struct bench *bench = check_open(check);
	struct worker_context context = {check, bench, NULL};
	crowd_run(check, 2, watch_and_work, &context);
	bench_close(bench);
}

const struct check_entry suite_common[] = {
	{"table", "its table tells people and tools what they need", common_has_a_sound_table, 0},
	{"self-test", "what it proves of itself holds", common_proves_itself, 0},
	{"bounds", "every option takes both its bounds", common_takes_its_bounds, CHECK_NEEDS_OPTIONS},
	{"create-destroy", "what create() makes, destroy() frees", common_destroys_what_it_creates, 0},
	{"create-fails", "a create() that fails leaves nothing behind", common_fails_without_trace, 0},
	{"secrets", "what is secret is never printed", common_keeps_its_secrets, CHECK_NEEDS_OPTIONS},
	{"verdicts", "its verdicts are those of its kind, with what belongs to them", verdicts, 0},
	{"no-memory", "without memory for an event it says RETRY, and the next one passes", starved, 0},
	{"settled", "an event that is through costs nothing any more", settled, 0},
	{"keeps-nothing", "it keeps no memory of an event past its end", keeps_nothing, 0},
	{"threads", "several threads at once get what each gets alone", threads, 0},
	{"observe", "observe() is quick and sound, whatever else runs", observes, 0},
	{"drain", "drain() while busy harms nothing that is inside", drains, 0},
	{NULL, NULL, NULL, 0},
};
