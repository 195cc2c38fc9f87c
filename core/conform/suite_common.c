/*
 * What every stage promises, whatever its kind: here, about the events that go through it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "conform/check.h"
#include "conform/concurrent.h"
#include "conform/leak.h"
#include "conform/sample.h"
#include "conform/suite_common.h"

enum {
	EVENTS = 400,
	MANY_EVENTS = 10000,
	THREADS = 4,
	QUICK_MS = 500, /* sanitizers and a busy machine included */
};

static void expect_verdict(struct check *check, const struct sluice_event *event, enum sluice_verdict verdict)
{
	const char *name = verdict_name(verdict);
	bool responds = bench_responds(event);
	check_that(check, verdict_fits(verdict, check_ops(check)->kind) || (verdict == SLUICE_DONE && responds),
	           "a stage of its kind may not return %s (%d)", name, (int)verdict);
	int status = bench_status(event);
	if (verdict == SLUICE_REJECT)
		check_that(check, status >= 400 && status <= 499,
		           "REJECT: expected a status of 400 to 499, got %d: see sluice_reject()", status);
	if (verdict >= SLUICE_REJECT && !responds)
		check_that(check, bench_detail(event)[0], "%s: expected a reason, got none", name);
	check_that(check, bench_delay_ns(event) >= 0, "%s: expected a delay of 0 or more, got %lld ns", name,
	           (long long)bench_delay_ns(event));
}

static void verdicts(struct check *check)
{
	struct bench *bench = check_open(check);
	if (!sample_is_processed(check))
		check_skip(check, "a queue stage has put() instead: the checks of its kind look at that");
	for (unsigned long i = 0; i < EVENTS; i++) {
		/* Now and then one comes again. */
		struct sluice_event *event = sample_event(check, bench, i % 7 ? i : i / 7);
		enum sluice_verdict verdict = bench_process(bench, event);
		expect_verdict(check, event, verdict);
		bench_settle(bench, event, sample_wait(check, event, verdict));
	}
}

/* What is illegal in itself is a breach: see event.c. */
static void response(struct check *check)
{
	sample_need_front(check);
	struct bench *bench = check_open(check);
	size_t set = 0;
	for (unsigned long i = 0; i < 2 * SAMPLE_SORTS; i++) {
		struct sluice_event *event = sample_event(check, bench, i % SAMPLE_SORTS);
		enum sluice_verdict verdict = sample_wait(check, event, bench_process(bench, event));
		enum sluice_verdict fitting = bench_status(event) < 400 ? SLUICE_DONE : SLUICE_REJECT;
		check_that(check, !bench_responds(event) || verdict == fitting,
		           "a response of its own with status %d: expected the verdict %s, got %s", bench_status(event),
		           verdict_name(fitting), verdict_name(verdict));
		set += bench_responds(event) + bench_response_headers(event);
		bench_settle(bench, event, verdict);
	}
	if (set == 0)
		check_skip(check, "it sets nothing in the response");
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
		           "sluice_alloc() returned NULL: expected RETRY, got %s", verdict_name(verdict));
		verdict = sample_run(check, bench, sample_event(check, bench, 2 * SAMPLE_SORTS + i));
		check_that(check, verdict == usual, "after an event without memory the next one: expected %s, got %s",
		           verdict_name(usual), verdict_name(verdict));
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
	size_t rounds = check_effort(check, EVENTS, MANY_EVENTS, 4 * MANY_EVENTS);
	leak_expect_none(check, rounds, run_once, bench, "process() and settle()");
	leak_expect_none(check, rounds, fail_one_after_it_passed, other, "process() and settle() with every verdict");
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
		enum sluice_verdict verdict = sample_wait(context->check, event, bench_process(context->bench, event));
		check_that(context->check, verdict == context->expected[number % SAMPLE_SORTS],
		           "on %d threads an event got %s, and the same on one thread %s", THREADS,
		           verdict_name(verdict), verdict_name(context->expected[number % SAMPLE_SORTS]));
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
	concurrent_collide(check, THREADS, work, &context);
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
	concurrent_run(check, THREADS, drain_soon, &context);
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
	check_that(check, !label == !label_value, "gauge %s: expected a label and its value, or neither", name);
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
	check_that(check, value != NULL, "text %s: expected a value, got NULL", name);
}

static void see_unhealthy(struct sluice_observer *observer, const char *reason)
{
	check_that(watcher_of(observer)->check, reason && *reason, "observe() called unhealthy() without a reason");
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

static void expect_quick(struct check *check, const char *what, int64_t began_ns)
{
	int64_t took_ms = (clock_now_ns() - began_ns) / NS_PER_MS;
	check_that(check, took_ms <= QUICK_MS, "%s: expected at most %d ms, took %lld ms", what, QUICK_MS,
	           (long long)took_ms);
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
		expect_quick(context->check, "observe()", began);
	}
}

static void observes(struct check *check)
{
	if (!check_ops(check)->observe)
		check_skip(check, "it has no observe()");
	struct bench *bench = check_open(check);
	struct worker_context context = {check, bench, NULL};
	concurrent_run(check, 2, watch_and_work, &context);
	bench_close(bench);
}

static void expect_tick(struct check *check, struct bench *bench)
{
	int64_t began_ns = clock_now_ns();
	int64_t pause_ns = check_ops(check)->tick(&bench->stage);
	expect_quick(check, "tick()", began_ns);
	check_that(check, pause_ns > 0, "tick(): expected a time above 0 until the next call, got %lld ns",
	           (long long)pause_ns);
}

/* The first thread ticks, the others work: with `expected` known, every event must come out as it does alone. */
static void tick_or_work(void *context_, unsigned thread)
{
	struct worker_context *context = context_;
	if (thread > 0 && context->expected) {
		work(context, thread);
		return;
	}
	for (unsigned long i = 0; i < EVENTS; i++) {
		if (thread == 0)
			expect_tick(context->check, context->bench);
		else if (sample_is_processed(context->check))
			(void)sample_run(context->check, context->bench,
			                 sample_event(context->check, context->bench, thread * 100000 + i));
	}
}

static void ticks(struct check *check)
{
	if (!check_ops(check)->tick)
		check_skip(check, "it has no tick()");
	bool is_front = check_ops(check)->kind <= SLUICE_KIND_IDEMPOTENCY;
	enum sluice_verdict expected[SAMPLE_SORTS];
	struct bench *bench = check_open(check);
	struct worker_context context = {check, bench, is_front ? expected : NULL};
	expect_tick(check, bench); /* before any event */
	if (is_front)
		learn_expected(check, bench, expected);
	concurrent_run(check, is_front ? THREADS : 2, tick_or_work, &context);
	bench_close(bench);
}

const struct check_entry suite_common[] = {
	{"table", "its table describes it: name, version, summary, options", common_has_a_sound_table, 0},
	{"self-test", "self_test() succeeds", common_proves_itself, 0},
	{"bounds", "every option accepts both its bounds", common_takes_its_bounds, CHECK_NEEDS_OPTIONS},
	{"create-destroy", "destroy() frees what create() made", common_destroys_what_it_creates, 0},
	{"create-fails", "a create() that fails leaves nothing behind", common_fails_without_trace, 0},
	{"secret-names", "an option whose name says that it is a secret is marked as one", common_names_its_secrets,
         CHECK_NEEDS_OPTIONS},
	{"secrets", "secret options appear in no output", common_keeps_its_secrets, CHECK_NEEDS_OPTIONS},
	{"verdicts", "it returns only verdicts of its kind, with the status and reason they need", verdicts, 0},
	{"response", "what it sets in the response is legal and fits its verdict", response, 0},
	{"no-memory", "without memory for an event it returns RETRY, and the next event passes", starved, 0},
	{"settled", "a settled event leaves nothing behind", settled, 0},
	{"keeps-nothing", "it does not touch the memory of an event that has ended", keeps_nothing, 0},
	{"threads", "on several threads events get the same verdicts as on one", threads, 0},
	{"static-memory", "it has nothing of an event in static memory", common_has_no_event_in_static_memory, 0},
	{"observe", "observe() is quick and valid while events are processed", observes, 0},
	{"tick", "tick() is quick, returns a time, and can run beside process()", ticks, 0},
	{"drain", "drain() under load harms no event inside", drains, 0},
	{NULL, NULL, NULL, 0},
};
