/*
 * What every stage promises, whatever its kind.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "conform/check.h"
#include "conform/crowd.h"
#include "conform/sample.h"
#include "conform/toll.h"
#include "runtime/option.h"
#include "runtime/quantity.h"

enum {
	CYCLES = 50,
	EVENTS = 400,
	THREADS = 4,
	OBSERVE_MAX_MS = 500, /* sanitizers and a busy machine included */
};

static bool is_name(const char *text)
{
	if (!text || !islower((unsigned char)*text))
		return false;
	for (; *text; text++) {
		if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) && !strchr("_.-", *text))
			return false;
	}
	return true;
}

/* A summary and a help are phrases: they stand in tables and after colons. */
static bool is_phrase(const char *text)
{
	return text && *text && text[strlen(text) - 1] != '.' && !strchr(text, '\n');
}

static void table(struct check *check)
{
	const struct sluice_stage_ops *ops = check_ops(check);
	check_that(check, is_name(ops->name), "name: expected lower-case letters, digits and _, got \"%s\"", ops->name);
	check_that(check, ops->version && *ops->version, "version: expected the stage's own, got nothing");
	check_that(check, is_phrase(ops->summary), "summary: expected a phrase without a full stop, got \"%s\"",
	           ops->summary ? ops->summary : "");
	for (const struct sluice_option *option = ops->options; option->type != SLUICE_TYPE_END; option++) {
		check_that(check, is_name(option->name), "option %s: expected a lower-case name", option->name);
		check_that(check, is_phrase(option->help),
		           "option %s: help: expected a phrase without a full stop, got \"%s\"", option->name,
		           option->help ? option->help : "");
	}
}

static void self_test(struct check *check)
{
	const struct sluice_stage_ops *ops = check_ops(check);
	if (!ops->self_test)
		check_skip(check, "it has no self_test()");
	for (int i = 0; i < 2; i++) {
		struct sluice_error error = {0};
		check_that(check, ops->self_test(&error), "self_test() was expected to say yes, and said: %s",
		           error.text);
	}
}

/* A stage as it is opened anew in each round, with an event or two inside. */
static void live_once(struct check *check, void *context, size_t round)
{
	(void)context;
	struct bench *bench = check_open(check);
	for (unsigned long i = 0; sample_is_processed(check) && i < 2; i++)
		(void)sample_run(check, bench, sample_event(check, bench, (2 * round + i) % SAMPLE_SORTS));
	bench_close(bench);
}

static void create_destroy(struct check *check)
{
	toll_expect_none(check, CYCLES, live_once, NULL, "create() and destroy()");
}

/* No descriptor more than there are. */
static struct rlimit forbid_descriptors(void)
{
	struct rlimit before, now;
	int next = dup(STDIN_FILENO);
	(void)close(next);
	(void)getrlimit(RLIMIT_NOFILE, &before);
	now = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
	(void)setrlimit(RLIMIT_NOFILE, &now);
	return before;
}

/* Creates the stage so that it should fail, with a setting or, with NULL, without descriptors; false if it does not. */
static bool fails_with(struct check *check, const char *setting)
{
	struct sluice_error error = {0};
	struct rlimit before;
	if (!setting)
		before = forbid_descriptors();
	struct bench *bench = check_try(check, setting ? (const char *[]){setting, NULL} : NULL, &error);
	if (!setting)
		(void)setrlimit(RLIMIT_NOFILE, &before);
	if (bench)
		bench_close(bench);
	return !bench;
}

static void fail_once(struct check *check, void *setting, size_t round)
{
	(void)round;
	check_that(check, fails_with(check, setting), "creating it failed once and then no more");
}

static void fail_often(struct check *check, char *setting)
{
	struct buffer what = {0};
	buffer_printf(&what, "failing to create it %s%s", setting ? "with " : "without descriptors",
	              setting ? setting : "");
	toll_expect_none(check, CYCLES, fail_once, setting, what.data);
	buffer_finish(&what);
}

/* Nothing can be made below a file, nobody listens on port 1. */
static const char *const bad_texts[] = {"/dev/null/conform", "postgresql://conform@127.0.0.1:1/conform"};

static void create_fails(struct check *check)
{
	int ways = 0;
	for (const struct sluice_option *option = check_ops(check)->options; option->type != SLUICE_TYPE_END;
	     option++) {
		if (option->type != SLUICE_TYPE_STRING && option->type != SLUICE_TYPE_STRINGS)
			continue;
		for (size_t i = 0; i < sizeof(bad_texts) / sizeof(bad_texts[0]); i++) {
			struct buffer setting = {0};
			buffer_printf(&setting, "%s=%s", option->name, bad_texts[i]);
			if (fails_with(check, setting.data)) {
				fail_often(check, setting.data);
				ways++;
			}
			buffer_finish(&setting);
		}
	}
	if (fails_with(check, NULL)) {
		fail_often(check, NULL);
		ways++;
	}
	if (ways == 0)
		check_skip(check, "no way is known to make its create() fail");
}

/* The bound as the option takes it; false for types that have none. */
static bool print_bound(const struct sluice_option *option, int64_t bound, struct buffer *out)
{
	buffer_printf(out, "%s=", option->name);
	switch (option->type) {
	case SLUICE_TYPE_INT:
		buffer_printf(out, "%lld", (long long)bound);
		return true;
	case SLUICE_TYPE_SIZE:
		quantity_print_size((uint64_t)bound, out);
		return true;
	case SLUICE_TYPE_DURATION:
		quantity_print_duration(bound, out);
		return true;
	case SLUICE_TYPE_PERCENT:
		buffer_printf(out, "%lld%%", (long long)bound);
		return true;
	default:
		return false;
	}
}

/* Whether a refusal says which of the options will not do: two may exclude each other. */
static bool names_an_option(const struct sluice_stage_ops *ops, const char *sentence)
{
	for (const struct sluice_option *option = ops->options; option->type != SLUICE_TYPE_END; option++) {
		if (strstr(sentence, option->name))
			return true;
	}
	return false;
}

static void try_setting(struct check *check, const char *setting)
{
	const struct sluice_stage_ops *ops = check_ops(check);
	struct sluice_error error = {0};
	struct bench *bench = check_try(check, (const char *[]){setting, NULL}, &error);
	/* A store may have its own reasons, which come from where it is connected to. */
	check_that(check, bench || ops->kind == SLUICE_KIND_PERSIST || names_an_option(ops, error.text),
	           "%s is within its bounds: expected it to be taken, or refused with the option's name, got: %s",
	           setting, error.text);
	for (unsigned long i = 0; bench && ops->kind <= SLUICE_KIND_IDEMPOTENCY && i < SAMPLE_SORTS; i++)
		(void)sample_run(check, bench, sample_event(check, bench, i));
	if (bench)
		bench_close(bench);
}

static void bounds(struct check *check)
{
	const struct sluice_option *option = check_ops(check)->options;
	for (; option->type != SLUICE_TYPE_END; option++) {
		const int64_t ends[] = {option->min, option->max};
		for (size_t i = 0; (option->min || option->max) && i < 2; i++) {
			struct buffer setting = {0};
			if (print_bound(option, ends[i], &setting))
				try_setting(check, setting.data);
			buffer_finish(&setting);
		}
		for (size_t i = 0; option->type == SLUICE_TYPE_CHOICE && option->choices[i]; i++) {
			struct buffer setting = {0};
			buffer_printf(&setting, "%s=%s", option->name, option->choices[i]);
			try_setting(check, setting.data);
			buffer_finish(&setting);
		}
	}
}

/* Values for secret options; what must not be seen is in all of them. */
#define MARK "Y29uZm9ybS1tYXJr" /* also base64 */
static const char *const marked[] = {
	MARK, "whsec_" MARK, "postgresql://conform:" MARK "@127.0.0.1:1/conform", "/dev/null/" MARK, MARK " " MARK "='",
};

static void expect_unseen(struct check *check, const char *secret, const char *text, const char *where)
{
	check_that(check, !strstr(text, secret), "the value of a secret option was found in %s", where);
}

static void expect_unseen_anywhere(struct check *check, const char *secret, struct bench *bench)
{
	static const char *const places[] = {"its log", "what it says with a verdict", "what observe() shows",
	                                     "what the process has printed"};
	char *texts[] = {bench_take_log(), bench_take_sentences(), bench_observe(bench), check_get_output(check)};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		expect_unseen(check, secret, texts[i], places[i]);
		free(texts[i]);
	}
}

/* Each item of a list is a secret of its own. */
static void expect_values_unseen(struct check *check, const char *values, struct bench *bench)
{
	char *copy = strdup(values), *rest = copy;
	for (char *item; (item = strsep(&rest, ", "));) {
		if (strlen(item) > 3)
			expect_unseen_anywhere(check, item, bench);
	}
	free(copy);
}

static void look_for_secret(struct check *check, const struct sluice_option *option, const char *value)
{
	struct buffer setting = {0};
	struct sluice_error error = {0};
	buffer_printf(&setting, "%s=%s", option->name, value);
	struct bench *bench = check_try(check, (const char *[]){setting.data, NULL}, &error);
	expect_unseen(check, MARK, error.text, "the sentence that refuses it");
	buffer_finish(&setting);
	if (!bench)
		return;
	for (unsigned long i = 0; sample_is_processed(check) && i < 2 * SAMPLE_SORTS; i++)
		(void)sample_run(check, bench, sample_event(check, bench, i));
	expect_unseen_anywhere(check, MARK, bench);
	bench_close(bench);
}

static void secrets(struct check *check)
{
	int count = 0;
	for (const struct sluice_option *option = check_ops(check)->options; option->type != SLUICE_TYPE_END;
	     option++) {
		if (!(option->flags & SLUICE_OPTION_SECRET))
			continue;
		count++;
		for (size_t i = 0; i < sizeof(marked) / sizeof(marked[0]); i++)
			look_for_secret(check, option, marked[i]);
		const char *given = check_option(check, option->name);
		if (!given)
			continue;
		struct bench *bench = check_open(check);
		for (unsigned long i = 0; sample_is_processed(check) && i < 2 * SAMPLE_SORTS; i++)
			(void)sample_run(check, bench, sample_event(check, bench, i));
		expect_values_unseen(check, given, bench);
		bench_close(bench);
	}
	if (count == 0)
		check_skip(check, "none of its options is secret");
}

static bool is_allowed(enum sluice_kind kind, enum sluice_verdict verdict)
{
	switch (verdict) {
	case SLUICE_PASS:
	case SLUICE_REJECT:
	case SLUICE_RETRY:
	case SLUICE_FAIL:
		return true;
	case SLUICE_DONE:
		return kind == SLUICE_KIND_IDEMPOTENCY || kind == SLUICE_KIND_PERSIST;
	case SLUICE_WAIT:
		return kind == SLUICE_KIND_IDEMPOTENCY;
	}
	return false;
}

static void expect_verdict(struct check *check, const struct sluice_event *event, enum sluice_verdict verdict)
{
	static const char *const names[] = {"PASS", "DONE", "WAIT", "REJECT", "RETRY", "FAIL"};
	check_that(check, (unsigned)verdict < sizeof(names) / sizeof(names[0]), "verdict %d is none", (int)verdict);
	const char *name = names[verdict];
	check_that(check, is_allowed(check_ops(check)->kind, verdict), "%s is no verdict of its kind", name);
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

/* An observer that is particular. */
struct watcher {
	struct sluice_observer pub; /* must be first */
	struct check *check;
};

static void see_gauge(struct sluice_observer *observer, const char *name, const char *label, const char *label_value,
                      double value, const char *help)
{
	struct check *check = ((struct watcher *)(void *)observer)->check;
	(void)help;
	check_that(check, is_name(name) && !strpbrk(name, ".-"), "gauge \"%s\": expected a name of a-z, 0-9 and _",
	           name ? name : "");
	check_that(check, !label == !label_value, "gauge %s: expected a label with a value, or neither", name);
	check_that(check, isfinite(value), "gauge %s: expected a number, got %g", name, value);
}

static void see_unhealthy(struct sluice_observer *observer, const char *reason)
{
	struct check *check = ((struct watcher *)(void *)observer)->check;
	check_that(check, reason && *reason, "observe() said unhealthy without a reason");
}

static void watch_and_work(void *context_, unsigned thread)
{
	struct worker_context *context = context_;
	const struct bench *bench = context->bench;
	struct watcher watcher = {{see_gauge, see_unhealthy}, context->check};
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
	{"table", "its table tells people and tools what they need", table, 0},
	{"self-test", "what it proves of itself holds", self_test, 0},
	{"bounds", "every option takes both its bounds", bounds, CHECK_NEEDS_OPTIONS},
	{"create-destroy", "what create() makes, destroy() frees", create_destroy, 0},
	{"create-fails", "a create() that fails leaves nothing behind", create_fails, 0},
	{"secrets", "what is secret is never printed", secrets, CHECK_NEEDS_OPTIONS},
	{"verdicts", "its verdicts are those of its kind, with what belongs to them", verdicts, 0},
	{"no-memory", "without memory for an event it says RETRY, and the next one passes", starved, 0},
	{"settled", "an event that is through costs nothing any more", settled, 0},
	{"keeps-nothing", "it keeps no memory of an event past its end", keeps_nothing, 0},
	{"threads", "several threads at once get what each gets alone", threads, 0},
	{"observe", "observe() is quick and sound, whatever else runs", observes, 0},
	{"drain", "drain() while busy harms nothing that is inside", drains, 0},
	{NULL, NULL, NULL, 0},
};
