/*
 * What a queue stage promises. The checks do what the dispatcher does: put() from many threads, take() on one, done()
 * from wherever an event ends.
 */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "conform/clocks.h"
#include "conform/concurrent.h"
#include "conform/model.h"
#include "conform/suite_queue.h"

enum { SOME = 64, PRODUCERS = 4, FINISHERS = 2, EACH = 250 };

static double patience_s(const struct check *check)
{
	return (double)check_patience_ns(check) / (double)NS_PER_S;
}

struct sluice_event *queue_make(struct bench *bench, const char *stream, int64_t number)
{
	struct sluice_event *event = bench_event(bench);
	char id[64];
	(void)snprintf(id, sizeof(id), "%s-%lld", stream, (long long)number);
	bench_set_fields(event, id, "conform.queue", stream, "{\"a\": 1}");
	event->sequence = number;
	event->has_sequence = true;
	return event;
}

enum sluice_verdict queue_put(struct check *check, struct bench *bench, struct sluice_event *event)
{
	enum sluice_verdict verdict = bench->ops->of.queue->put(&bench->stage, event);
	if (verdict == SLUICE_WAIT)
		check_that(check, bench_wait_resumed(event, check_patience_ns(check), &verdict),
		           "put() returned WAIT and did not resume the event within %g s", patience_s(check));
	check_that(check, verdict == SLUICE_PASS || verdict == SLUICE_RETRY, "put(): expected PASS or RETRY, got %s",
	           verdict_name(verdict));
	return verdict;
}

void queue_must_put(struct check *check, struct bench *bench, struct sluice_event *event)
{
	enum sluice_verdict verdict = queue_put(check, bench, event);
	check_that(check, verdict == SLUICE_PASS, "put() of event %lld: expected PASS, got %s: %s",
	           (long long)event->sequence, verdict_name(verdict), bench_detail(event));
}

size_t queue_take(struct bench *bench, struct sluice_event **events, size_t max)
{
	return bench->ops->of.queue->take(&bench->stage, events, max);
}

void queue_finish(struct bench *bench, struct sluice_event *event, enum sluice_verdict verdict)
{
	bench->ops->of.queue->done(&bench->stage, event, verdict);
}

struct bench *queue_start(struct check *check, struct bench *bench)
{
	struct sluice_error error = {0};
	if (bench->ops->of.queue->recover && !bench->ops->of.queue->recover(&bench->stage, &error))
		check_that(check, false, "recover() failed: %s", error.text);
	return bench;
}

static struct bench *start_empty(struct check *check, struct bench *bench)
{
	struct sluice_event *event;
	(void)queue_start(check, bench);
	if (queue_take(bench, &event, 1) > 0)
		check_skip(check, "the queue is not empty: give it a place of its own with --set");
	return bench;
}

struct bench *queue_open_empty(struct check *check)
{
	return start_empty(check, check_open(check));
}

/* A queue that is soon full. The check ends here if its capacity cannot be set. */
static struct bench *open_small(struct check *check, size_t *capacity_out)
{
	struct bench *bench = check_open(check);
	const struct sluice_option *option = bench->ops->options;
	while (option && option->type != SLUICE_TYPE_END && strcmp(option->name, "capacity") != 0)
		option++;
	if (!option || option->type != SLUICE_TYPE_INT)
		check_skip(check, "it has no option capacity");
	int64_t capacity = option->min > 4 ? option->min : 4;
	bench_close(bench);
	char text[48];
	(void)snprintf(text, sizeof(text), "capacity=%lld", (long long)capacity);
	*capacity_out = (size_t)capacity;
	return start_empty(check, check_open_with(check, (const char *[]){text, NULL}));
}

void queue_take_numbers(struct check *check, struct bench *bench, struct sluice_event **events, size_t count,
                        int64_t first)
{
	int64_t came_ns = clock_now_ns();
	for (size_t got = 0; got < count;) {
		size_t more = queue_take(bench, events + got, count - got);
		check_that(check, more <= count - got, "take() of up to %zu events yielded %zu", count - got, more);
		for (size_t i = got; i < got + more; i++) {
			int64_t expected = first + (int64_t)i;
			check_that(check, events[i]->sequence == expected,
			           "take(): expected event %lld next, got event %lld", (long long)expected,
			           (long long)events[i]->sequence);
		}
		got += more;
		came_ns = more ? clock_now_ns() : came_ns;
		check_that(check, got == count || clock_now_ns() < came_ns + check_patience_ns(check),
		           "%zu events are inside, and take() yielded %zu and then none for %g s", count, got,
		           patience_s(check));
	}
}

static void expect_nothing_more(struct check *check, struct bench *bench)
{
	struct sluice_event *event;
	check_that(check, queue_take(bench, &event, 1) == 0, "take() yielded event %lld twice",
	           (long long)event->sequence);
}

void queue_finish_and_free(struct bench *bench, struct sluice_event **events, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		queue_finish(bench, events[i], SLUICE_PASS);
		bench_free(events[i]);
	}
}

static void comes_out_in_order(struct check *check)
{
	static const char *const streams[] = {"a", "b", "c", "a", "a"};
	struct bench *bench = queue_open_empty(check);
	struct sluice_event *events[SOME];
	for (int i = 0; i < SOME; i++)
		queue_must_put(check, bench, queue_make(bench, streams[i % 5], i));
	queue_take_numbers(check, bench, events, SOME, 0);
	queue_finish_and_free(bench, events, SOME);
	bench_close(bench);
}

static void comes_out_once(struct check *check)
{
	size_t capacity = 0;
	struct bench *bench = open_small(check, &capacity);
	struct sluice_event **events = calloc(capacity, sizeof(*events));
	int64_t put_count = 0;
	for (size_t round = 0; round < 50; round++) {
		size_t count = round % capacity + 1;
		int64_t first = put_count;
		for (size_t i = 0; i < count; i++)
			queue_must_put(check, bench, queue_make(bench, "s", put_count++));
		queue_take_numbers(check, bench, events, count, first);
		expect_nothing_more(check, bench);
		queue_finish_and_free(bench, events, count);
		expect_nothing_more(check, bench);
	}
	free(events);
	bench_close(bench);
}

static void *take_one(void *context)
{
	struct bench *bench = context;
	struct sluice_event *event;
	return queue_take(bench, &event, 1) == 0 ? NULL : context;
}

/* On a thread of its own, so that it can be left behind. */
static void expect_empty_at_once(struct check *check, struct bench *bench)
{
	pthread_t thread;
	void *yielded;
	check_that(check, pthread_create(&thread, NULL, take_one, bench) == 0, "cannot start a thread");
	struct timespec until = clocks_true_wall();
	until.tv_sec += 2;
	check_that(check, pthread_timedjoin_np(thread, &yielded, &until) == 0,
	           "take() of an empty queue: expected 0 at once, and it has not returned after 2 s");
	check_that(check, !yielded, "take() of an empty queue yielded an event");
}

static void never_blocks(struct check *check)
{
	struct bench *bench = queue_start(check, check_open(check));
	expect_empty_at_once(check, bench);
	struct sluice_event *event = queue_make(bench, "s", 0);
	queue_must_put(check, bench, event);
	queue_take_numbers(check, bench, &event, 1, 0);
	expect_empty_at_once(check, bench);
	queue_finish_and_free(bench, &event, 1);
	expect_empty_at_once(check, bench);
	bench_close(bench);
}

static void respects_max(struct check *check)
{
	static const size_t sizes[] = {1, 2, 3, 1, 7, SOME, 1};
	struct bench *bench = queue_open_empty(check);
	int64_t put_count = 0;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct sluice_event *events[2 * SOME] = {NULL};
		for (size_t n = 0; n < sizes[i] + 3; n++)
			queue_must_put(check, bench, queue_make(bench, "s", put_count++));
		int64_t first = put_count - (int64_t)sizes[i] - 3;
		size_t got = queue_take(bench, events, sizes[i]);
		check_that(check, got <= sizes[i] && !events[sizes[i]], "take() of up to %zu events yielded more",
		           sizes[i]);
		check_that(check, got > 0, "events are waiting, and take() of up to %zu yielded none", sizes[i]);
		queue_take_numbers(check, bench, events + got, sizes[i] + 3 - got, first + (int64_t)got);
		queue_finish_and_free(bench, events, sizes[i] + 3);
	}
	bench_close(bench);
}

/* Puts what fits, and expects that not to be more than the capacity. */
static size_t fill(struct check *check, struct bench *bench, size_t capacity, struct sluice_event **refused_out)
{
	for (size_t count = 0; count <= capacity; count++) {
		*refused_out = queue_make(bench, "s", (int64_t)count);
		if (queue_put(check, bench, *refused_out) == SLUICE_RETRY)
			return count;
	}
	check_that(check, false, "its capacity is %zu, and put() accepted %zu events of which none is done", capacity,
	           capacity + 1);
	return 0;
}

static void says_when_full(struct check *check)
{
	size_t capacity = 0;
	struct bench *bench = open_small(check, &capacity);
	struct sluice_event *refused, **events = calloc(capacity, sizeof(*events));
	size_t count = fill(check, bench, capacity, &refused);
	check_that(check, count == capacity, "its capacity is %zu, and event %zu got RETRY: %s", capacity, count + 1,
	           bench_detail(refused));
	check_that(check, bench_detail(refused)[0] != '\0',
	           "put() returned RETRY without a reason: see sluice_retry()");
	queue_take_numbers(check, bench, events, capacity, 0);
	expect_nothing_more(check, bench);
	check_that(
		check, queue_put(check, bench, refused) == SLUICE_RETRY,
		"%zu events were taken and none is done, and put() accepted one more: an event keeps its place until done()",
		capacity);
	queue_finish_and_free(bench, events, capacity);
	bench_free(refused);
	free(events);
	bench_close(bench);
}

static void done_frees_a_place(struct check *check)
{
	size_t capacity = 0;
	struct bench *bench = open_small(check, &capacity);
	struct sluice_event *refused, **events = calloc(capacity, sizeof(*events));
	(void)fill(check, bench, capacity, &refused);
	queue_take_numbers(check, bench, events, capacity, 0);
	for (size_t i = 0; i < 3 * capacity; i++) {
		size_t victim = i * 7 % capacity;
		queue_finish_and_free(bench, &events[victim], 1);
		check_that(check, queue_put(check, bench, refused) == SLUICE_PASS,
		           "an event is done, and put() still returns RETRY: %s", bench_detail(refused));
		queue_take_numbers(check, bench, &events[victim], 1, refused->sequence);
		refused = queue_make(bench, "s", (int64_t)(capacity + 1 + i));
	}
	bench_free(refused);
	queue_finish_and_free(bench, events, capacity);
	free(events);
	bench_close(bench);
}

static void done_in_any_order(struct check *check)
{
	size_t capacity = 0;
	struct bench *bench = open_small(check, &capacity);
	struct sluice_event **events = calloc(capacity, sizeof(*events));
	for (size_t round = 0; round < 12; round++) {
		for (size_t i = 0; i < capacity; i++)
			queue_must_put(check, bench, queue_make(bench, "s", (int64_t)i));
		queue_take_numbers(check, bench, events, capacity, 0);
		for (size_t i = 0; i < capacity; i++) {
			size_t place = round % 2 ? capacity - 1 - i : (i + round) % capacity;
			queue_finish_and_free(bench, &events[place], 1);
		}
		expect_nothing_more(check, bench);
	}
	free(events);
	bench_close(bench);
}

/* Four threads put, this one takes, two end events: newest first, so never in the order of their coming. */
struct traffic {
	struct check *check;
	struct bench *bench;
	struct sluice_event *events[PRODUCERS][EACH];
	bool taken[PRODUCERS][EACH];
	int64_t next[PRODUCERS];
	pthread_mutex_t lock;
	struct sluice_event *open[PRODUCERS * EACH]; /* taken and not yet done */
	size_t open_count, done_count;
};

static void produce(struct traffic *traffic, unsigned number)
{
	for (size_t i = 0; i < EACH; i++) {
		while (queue_put(traffic->check, traffic->bench, traffic->events[number][i]) == SLUICE_RETRY)
			(void)sched_yield();
	}
}

static struct sluice_event *next_open(struct traffic *traffic, bool *over_out)
{
	(void)pthread_mutex_lock(&traffic->lock);
	struct sluice_event *event = traffic->open_count ? traffic->open[--traffic->open_count] : NULL;
	traffic->done_count += event != NULL;
	*over_out = traffic->done_count == (size_t)PRODUCERS * EACH;
	(void)pthread_mutex_unlock(&traffic->lock);
	return event;
}

static void finish_events(struct traffic *traffic)
{
	for (bool over = false; !over;) {
		struct sluice_event *event = next_open(traffic, &over);
		if (event)
			queue_finish(traffic->bench, event, SLUICE_PASS);
		else
			(void)sched_yield();
	}
}

static void look_at(struct traffic *traffic, const struct sluice_event *event)
{
	struct check *check = traffic->check;
	size_t stream = (size_t)(event->stream.data[0] - '0'), number = (size_t)event->sequence;
	check_that(check, !traffic->taken[stream][number], "take() yielded event %zu of stream %zu twice", number,
	           stream);
	check_that(check, event->sequence == traffic->next[stream],
	           "take(): expected event %lld of stream %zu next, got event %zu", (long long)traffic->next[stream],
	           stream, number);
	traffic->taken[stream][number] = true;
	traffic->next[stream]++;
}

static void take_all(struct traffic *traffic)
{
	int64_t came_ns = clock_now_ns();
	for (size_t total = 0; total < (size_t)PRODUCERS * EACH;) {
		struct sluice_event *batch[16];
		size_t count = queue_take(traffic->bench, batch, 16);
		for (size_t i = 0; i < count; i++)
			look_at(traffic, batch[i]);
		(void)pthread_mutex_lock(&traffic->lock);
		for (size_t i = 0; i < count; i++)
			traffic->open[traffic->open_count++] = batch[i];
		(void)pthread_mutex_unlock(&traffic->lock);
		total += count;
		came_ns = count ? clock_now_ns() : came_ns;
		if (count == 0)
			(void)sched_yield();
		check_that(traffic->check, clock_now_ns() < came_ns + check_patience_ns(traffic->check),
		           "of %d events from %d threads, take() yielded %zu and then none for %g s", PRODUCERS * EACH,
		           (int)PRODUCERS, total, patience_s(traffic->check));
	}
}

/* Producers, two that finish, and one that takes. */
static void take_part(void *context, unsigned number)
{
	struct traffic *traffic = context;
	if (number < PRODUCERS)
		produce(traffic, number);
	else if (number < PRODUCERS + FINISHERS)
		finish_events(traffic);
	else
		take_all(traffic);
}

static void many_threads(struct check *check)
{
	static struct traffic traffic = {.lock = PTHREAD_MUTEX_INITIALIZER};
	traffic.check = check;
	traffic.bench = queue_open_empty(check);
	for (unsigned i = 0; i < PRODUCERS; i++) {
		char stream[2] = {(char)('0' + i), '\0'};
		for (int n = 0; n < EACH; n++)
			traffic.events[i][n] = queue_make(traffic.bench, stream, n);
	}
	concurrent_collide(check, PRODUCERS + FINISHERS + 1, take_part, &traffic);
	expect_nothing_more(check, traffic.bench);
	for (unsigned i = 0; i < PRODUCERS; i++)
		for (int n = 0; n < EACH; n++)
			bench_free(traffic.events[i][n]);
	bench_close(traffic.bench);
}

static void resumes_once(struct check *check)
{
	struct bench *bench = queue_open_empty(check);
	struct sluice_event *events[SOME], *taken[SOME];
	bool waited[SOME];
	size_t waits = 0, got = 0;
	for (size_t i = 0; i < SOME; i++) {
		events[i] = queue_make(bench, "s", (int64_t)i);
		enum sluice_verdict verdict = bench->ops->of.queue->put(&bench->stage, events[i]);
		waited[i] = verdict == SLUICE_WAIT;
		check_that(check, waited[i] || verdict == SLUICE_PASS, "put() of event %zu returned %s", i,
		           verdict_name(verdict));
		waits += waited[i];
		size_t more = queue_take(bench, taken + got, SOME - got);
		for (; more > 0; more--, got++)
			check_that(check, !waited[taken[got]->sequence] || bench_resumes(taken[got]) == 1,
			           "put() returned WAIT, and take() yielded the event before it was resumed");
	}
	if (waits == 0) {
		queue_take_numbers(check, bench, taken + got, SOME - got, (int64_t)got);
		queue_finish_and_free(bench, taken, SOME);
		bench_close(bench);
		check_skip(check, "put() never returned WAIT");
	}
	for (size_t i = 0; i < SOME; i++) {
		enum sluice_verdict verdict = SLUICE_PASS;
		check_that(check, !waited[i] || bench_wait_resumed(events[i], check_patience_ns(check), &verdict),
		           "put() returned WAIT and did not resume the event within %g s", patience_s(check));
		check_that(check, verdict == SLUICE_PASS, "event %zu was resumed with %s", i, verdict_name(verdict));
	}
	queue_take_numbers(check, bench, taken + got, SOME - got, (int64_t)got);
	for (size_t i = 0; i < SOME; i++)
		queue_finish(bench, taken[i], SLUICE_PASS);
	bench_close(bench);
	for (size_t i = 0; i < SOME; i++)
		check_that(check, bench_resumes(events[i]) == waited[i], "event %zu: expected %d resumes, got %u", i,
		           (int)waited[i], bench_resumes(events[i]));
}

static void expect_inside(struct check *check, struct bench *bench, size_t count)
{
	static const char body[] = "{\"a\": 1}";
	double inside = bench_gauge(bench, "queue_inside", NULL),
	       bytes = bench_gauge(bench, "queue_inside_bytes", NULL);
	check_that(check, inside == (double)count, "%zu events are inside, and the gauge queue_inside says %g", count,
	           inside);
	check_that(check, isnan(bytes) || bytes == (double)(count * strlen(body)),
	           "%zu events are inside, of %zu bytes, and the gauge queue_inside_bytes says %g", count,
	           count * strlen(body), bytes);
}

/* An event is inside from put() to done(). */
static void shows_what_is_inside(struct check *check)
{
	struct bench *bench = queue_open_empty(check);
	struct sluice_event *events[SOME];
	if (isnan(bench_gauge(bench, "queue_inside", NULL)))
		check_skip(check, "it has no gauge queue_inside");
	for (int i = 0; i < SOME; i++) {
		struct sluice_event *event = queue_make(bench, "s", i);
		bench_set_body(event, "{\"a\": 1}", 8);
		queue_must_put(check, bench, event);
		expect_inside(check, bench, (size_t)i + 1);
	}
	queue_take_numbers(check, bench, events, SOME, 0);
	expect_inside(check, bench, SOME);
	for (size_t i = 0; i < SOME; i++) {
		queue_finish_and_free(bench, &events[i], 1);
		expect_inside(check, bench, SOME - 1 - i);
	}
	bench_close(bench);
}

static void drains(struct check *check)
{
	struct bench *bench = queue_open_empty(check);
	struct sluice_event *events[SOME];
	for (int i = 0; i < SOME; i++)
		queue_must_put(check, bench, queue_make(bench, "s", i));
	queue_take_numbers(check, bench, events, SOME / 2, 0);
	if (bench->ops->drain)
		bench->ops->drain(&bench->stage);
	queue_take_numbers(check, bench, events + SOME / 2, SOME / 2, SOME / 2);
	expect_nothing_more(check, bench);
	queue_finish_and_free(bench, events, SOME);
	if (bench->ops->destroy)
		bench->ops->destroy(&bench->stage); /* bench_close() would drain it again */
}

static void follows_its_model(struct check *check)
{
	size_t scripts = check_effort(check, 30, 1200, 100000);
	if (check_option(check, "url"))
		check_skip(check, "what it keeps is on a network, and outlives a script");
	check_use_least_sizes(check);
	model_check(check, &model_of_queue, scripts);
}

const struct check_entry suite_queue[] = {
	{"order", "events come out in the order they went in", comes_out_in_order, 0},
	{"each-once", "every event comes out once, also where a ring wraps around", comes_out_once, 0},
	{"take-returns", "take() of an empty queue returns 0 at once", never_blocks, 0},
	{"take-max", "take() yields no more than it is asked for", respects_max, 0},
	{"bound", "at its capacity put() returns RETRY, and a taken event counts until done()", says_when_full, 0},
	{"done-frees", "done() frees a place", done_frees_a_place, 0},
	{"done-any-order", "done() may come in any order", done_in_any_order, 0},
	{"many-threads", "with many threads at once nothing is lost, doubled or reordered", many_threads, 0},
	{"wait", "an event parked by put() is resumed once, and not taken before", resumes_once, 0},
	{"gauges", "its gauges show what is inside, from put() to done()", shows_what_is_inside, 0},
	{"drain-yields", "events inside when drain() is called still come out", drains, 0},
	{"clock-jumps", "however the clocks are set, no event is lost, doubled or reordered", queue_ignores_the_clocks,
         0},
	{"model", "after any operations it yields what a model of it says", follows_its_model, 0},
	{"survives-kill", "every event that put() passed survives kill -9, in order and once", queue_survives_kill,
         CHECK_NEEDS_DURABLE},
	{"power-cut", "every event that put() passed survives a power cut", queue_survives_a_power_cut,
         CHECK_NEEDS_DURABLE},
	{"failing-disk", "a call to the disk that fails loses no event that put() passed, whichever it is",
         queue_survives_a_failing_disk, CHECK_NEEDS_DURABLE},
	{"torn-write", "a crash within a write loses no event before it", queue_survives_a_torn_write,
         CHECK_NEEDS_DURABLE},
	{"read-error", "while it cannot read its files, nothing is lost or reordered within a stream",
         queue_cannot_read, CHECK_NEEDS_DURABLE},
	{"older-copy", "with its files replaced by an older copy it yields what that has",
         queue_starts_from_an_older_copy, CHECK_NEEDS_DURABLE},
	{"done-is-done", "an event that is done is not recovered", queue_forgets_what_is_done, CHECK_NEEDS_DURABLE},
	{"retried", "an acknowledged event done with RETRY is recovered", queue_keeps_what_is_retried,
         CHECK_NEEDS_DURABLE},
	{"restored", "a recovered event equals the one that was put, in every field", queue_restores_all_fields,
         CHECK_NEEDS_DURABLE},
	{"old-first", "recovered events come before newer ones", queue_yields_old_before_new, CHECK_NEEDS_DURABLE},
	{"full-pool", "while restore() returns NULL, take() waits and loses nothing", queue_waits_for_the_pool,
         CHECK_NEEDS_DURABLE},
	{"backlog", "its backlog is counted, and nobody else's while it has it", queue_counts_its_backlog,
         CHECK_NEEDS_DURABLE},
	{"told", "recover() tells of each event in the backlog, in order", queue_tells_of_its_backlog,
         CHECK_NEEDS_DURABLE},
	{NULL, NULL, NULL, 0},
};
