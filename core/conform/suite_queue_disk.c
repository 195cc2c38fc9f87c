/*
 * What a durable queue stage that keeps files promises when the disk fails or the power is cut: what put() has passed
 * and done() has not ended is recovered, in its order.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "conform/files.h"
#include "conform/suite_queue.h"
#include "conform/world.h"

enum { EVENTS_MAX = 64, AMID = 6, BACKLOG = 12 };

/* What a life has told of its events, where its end does not reach. */
struct fates {
	bool passed[EVENTS_MAX], ended[EVENTS_MAX];
};

static struct fates *make_fates(struct check *check)
{
	struct fates *fates = mmap(NULL, sizeof(*fates), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check_that(check, fates != MAP_FAILED, "no memory");
	return fates;
}

struct life {
	const struct world *world;
	struct fates *fates;
};

static bool put(struct check *check, struct bench *bench, const struct life *life, size_t number)
{
	static const char *const streams[] = {"a", "b", NULL};
	struct sluice_event *event = queue_make(bench, streams[number % 3], (int64_t)number);
	life->fates->passed[number] = queue_put(check, bench, event) == SLUICE_PASS;
	event->acknowledged = life->fates->passed[number];
	return life->fates->passed[number];
}

/* The trouble is over: the next events pass, if not at once. */
static void put_at_last(struct check *check, struct bench *bench, const struct life *life, size_t number)
{
	int64_t until_ns = clock_now_ns() + check_patience_ns(check) + 10 * NS_PER_S;
	while (!put(check, bench, life, number)) {
		check_that(check, clock_now_ns() < until_ns, "%s, and long after that put() still returns RETRY",
		           world_describe(life->world));
		(void)nanosleep(&(struct timespec){.tv_nsec = 2 * NS_PER_MS}, NULL);
	}
}

/* A third of what is inside is taken and through. */
static void end_some(struct bench *bench, const struct life *life, size_t count)
{
	struct sluice_event *event;
	for (size_t i = 0; i < count / 3 && queue_take(bench, &event, 1) == 1; i++) {
		life->fates->ended[event->sequence] = true;
		queue_finish(bench, event, SLUICE_PASS);
	}
}

static int put_until_the_power_is_cut(struct check *check, int out, void *context)
{
	const struct life *life = context;
	const struct world *world = life->world;
	(void)out;
	disk_remember();
	struct bench *bench = queue_open_empty(check);
	for (size_t i = 0; i < world->before; i++)
		put_at_last(check, bench, life, i);
	end_some(bench, life, world->before);
	disk_cut_power(0);
}

static int put_on_a_failing_disk(struct check *check, int out, void *context)
{
	const struct life *life = context;
	(void)out;
	disk_remember();
	struct bench *bench = queue_open_empty(check);
	for (size_t i = 0; i < AMID; i++)
		put_at_last(check, bench, life, i);
	disk_break(life->world->fault, life->world->at);
	for (size_t i = AMID; i < 2 * AMID; i++)
		(void)put(check, bench, life, i);
	end_some(bench, life, AMID);
	bool has_failed = disk_mend();
	for (size_t i = 2 * AMID; i < 3 * AMID; i++)
		put_at_last(check, bench, life, i);
	disk_cut_power(has_failed ? 0 : NOTHING_TO_SEE);
}

/* Room for a part of the next events: the write behind it ends the process. */
static int put_until_a_write_is_torn(struct check *check, int out, void *context)
{
	const struct life *life = context;
	(void)out;
	struct bench *bench = queue_open_empty(check);
	for (size_t i = 0; i < life->world->before; i++)
		put_at_last(check, bench, life, i);
	(void)signal(SIGXFSZ, SIG_DFL);
	files_limit(files_size_of_largest() + life->world->room);
	for (size_t i = life->world->before; i < life->world->before + AMID; i++)
		(void)put(check, bench, life, i);
	_exit(0);
}

/* The life after the torn write. */
static int put_more(struct check *check, int out, void *context)
{
	const struct life *life = context;
	(void)out;
	struct bench *bench = queue_start(check, check_open(check));
	for (size_t i = life->world->before + AMID; i < life->world->before + 2 * AMID; i++)
		put_at_last(check, bench, life, i);
	_exit(0);
}

/* One event after the other, as they are recovered; others than those that put() passed may be among them. */
static void expect_recovered(struct check *check, const struct fates *fates, const char *when)
{
	struct bench *bench = queue_start(check, check_open(check));
	struct sluice_event *event;
	int64_t last = -1;
	bool seen[EVENTS_MAX] = {false};
	while (queue_take(bench, &event, 1) == 1) {
		check_that(check, event->sequence > last && event->sequence < EVENTS_MAX,
		           "%s: event %lld is recovered behind event %lld", when, (long long)event->sequence,
		           (long long)last);
		last = event->sequence;
		seen[last] = true;
		queue_finish_and_free(bench, &event, 1);
	}
	for (size_t i = 0; i < EVENTS_MAX; i++)
		check_that(check, !fates->passed[i] || fates->ended[i] || seen[i],
		           "%s: put() passed event %zu, it was not done, and it is not recovered", when, i);
	bench_close(bench);
}

static bool live(struct check *check, const struct world *world, const char *when,
                 int (*work)(struct check *check, int out, void *context))
{
	struct life life = {world, make_fates(check)};
	world_enter(check, world);
	bool has_shown = world_has_shown(check, check_in_process(check, work, &life, NULL));
	if (has_shown)
		expect_recovered(check, life.fates, when);
	(void)munmap(life.fates, sizeof(*life.fates));
	return has_shown;
}

void queue_survives_a_power_cut(struct check *check)
{
	static const size_t lives[] = {7, 1, 20, 0, 60};
	check_use_least_sizes(check);
	for (size_t i = 0; i < check_effort(check, 2, 4, 5); i++) {
		struct world world = {.number = i, .before = lives[i]};
		(void)live(check, &world, "after a power cut", put_until_the_power_is_cut);
	}
}

/* Every call to the disk fails in turn. */
void queue_survives_a_failing_disk(struct check *check)
{
	size_t worlds = 0, most = check_effort(check, 3, 40, 1000);
	check_use_least_sizes(check);
	for (enum disk_fault fault = 0; fault <= DISK_SHORT; fault++) {
		for (size_t at = 1; at <= most; at++) {
			struct world world = {.number = worlds++, .at = at, .fault = fault};
			char when[128];
			(void)snprintf(when, sizeof(when), "%s, and then the power was cut", world_describe(&world));
			if (!live(check, &world, when, put_on_a_failing_disk))
				break;
		}
	}
}

void queue_survives_a_torn_write(struct check *check)
{
	static const rlim_t rooms[] = {1, 100, 9, 250, 30, 400};
	check_use_least_sizes(check);
	for (size_t i = 0; i < check_effort(check, 3, 6, 6); i++) {
		struct world world = {.number = i, .before = 3 * i, .room = rooms[i]};
		struct life life = {&world, make_fates(check)};
		world_enter(check, &world);
		(void)check_in_process(check, put_until_a_write_is_torn, &life, NULL); /* by SIGXFSZ, or to its end */
		(void)world_has_shown(check, check_in_process(check, put_more, &life, NULL));
		expect_recovered(check, life.fates, "after a crash in the middle of a write, and more events");
	}
}

/* Numbers of two streams in turn, as they come out. */
struct streams {
	struct check *check;
	int64_t next[2], count;
};

static void take_in_order(struct streams *streams, struct bench *bench)
{
	struct sluice_event *event;
	while (queue_take(bench, &event, 1) == 1) {
		int64_t *next = &streams->next[event->sequence % 2];
		check_that(
			streams->check, event->sequence == *next,
			"its files could not be read for a while, and of the stream of event %lld, event %lld came out",
			(long long)*next, (long long)event->sequence);
		*next += 2;
		streams->count++;
		queue_finish_and_free(bench, &event, 1);
	}
}

static void put_numbers(struct check *check, struct bench *bench, int64_t from, int64_t to)
{
	for (int64_t number = from; number < to; number++)
		queue_must_put(check, bench, queue_make(bench, number % 2 ? "a" : "b", number));
}

/* Whether a read has failed. */
static bool take_with(struct check *check, enum disk_fault fault)
{
	struct streams streams = {.check = check, .next = {0, 1}};
	struct sluice_event *events[BACKLOG];
	struct bench *bench = queue_open_empty(check);
	put_numbers(check, bench, 0, BACKLOG);
	queue_take_numbers(check, bench, events, BACKLOG, 0);
	for (size_t i = 0; i < BACKLOG; i++) {
		events[i]->acknowledged = true;
		queue_finish(bench, events[i], SLUICE_RETRY);
		bench_free(events[i]);
	}
	bench_close(bench);
	bench = queue_start(check, check_open(check));
	disk_break(fault, 1);
	take_in_order(&streams, bench);
	bool has_failed = disk_mend();
	take_in_order(&streams, bench); /* what could not be read just now is not overtaken by what can be */
	put_numbers(check, bench, BACKLOG, 2 * BACKLOG);
	int64_t until_ns = clock_now_ns() + check_patience_ns(check) + 10 * NS_PER_S;
	while (streams.count < 2 * BACKLOG) {
		check_that(check, clock_now_ns() < until_ns,
		           "its files can be read again, and long after that only %lld of %d events have come out",
		           (long long)streams.count, 2 * BACKLOG);
		(void)nanosleep(&(struct timespec){.tv_nsec = 2 * NS_PER_MS}, NULL);
		take_in_order(&streams, bench);
	}
	bench_close(bench);
	return has_failed;
}

void queue_cannot_read(struct check *check)
{
	disk_remember();
	bool has_failed = take_with(check, DISK_EIO_READ_ONCE);
	has_failed |= take_with(check, DISK_EIO_READ);
	if (!has_failed)
		check_skip(check, "it reads no file in take()");
}
