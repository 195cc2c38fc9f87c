/*
 * What a queue stage promises when it starts again in other circumstances: the clocks have been set, or its files were replaced
 * by an older copy of them.
 */
#include "base/clock.h"
#include "conform/suite_queue.h"
#include "conform/world.h"

#define DAY_NS (INT64_C(86400) * NS_PER_S)

enum { EACH = 12, LIVES = 3, OLD = 10, ALL = 20 };

/* The order of what is put, which is also that of its coming back. */
struct line {
	int64_t put, taken; /* how many */
	int64_t received_at_ns[2 * EACH * LIVES];
};

static void put_some(struct check *check, struct bench *bench, struct line *line)
{
	for (int i = 0; i < EACH; i++) {
		struct sluice_event *event = queue_make(bench, i % 2 ? "a" : "b", line->put);
		line->received_at_ns[line->put++] = event->received_at_ns;
		queue_must_put(check, bench, event);
	}
}

/* All that is inside; of a durable queue the later half is acknowledged, and comes back in the next life. */
static void take_all(struct check *check, struct bench *bench, struct line *line, bool comes_back)
{
	struct sluice_event *events[2 * EACH * LIVES];
	size_t count = (size_t)(line->put - line->taken), ended = comes_back ? count / 2 : count;
	queue_take_numbers(check, bench, events, count, line->taken);
	for (size_t i = 0; i < count; i++) {
		check_that(check, events[i]->received_at_ns / 1000 == line->received_at_ns[events[i]->sequence] / 1000,
		           "the wall clock was set, and event %lld came out with another received_at_ns",
		           (long long)events[i]->sequence);
		events[i]->acknowledged = true;
		queue_finish(bench, events[i], i < ended ? SLUICE_PASS : SLUICE_RETRY);
		bench_free(events[i]);
	}
	line->taken += (int64_t)ended;
}

void queue_ignores_the_clocks(struct check *check)
{
	static const int64_t jumps_ns[LIVES] = {2 * DAY_NS, -4 * DAY_NS, 400 * DAY_NS};
	bool is_durable = (check_ops(check)->of.queue->flags & SLUICE_QUEUE_DURABLE) != 0;
	struct line line = {0};
	world_enter(check, &(struct world){.number = 0});
	bench_set_clock(clock_wall_ns());
	for (int life = 0; life < LIVES; life++) {
		struct bench *bench = life ? queue_start(check, check_open(check)) : queue_open_empty(check);
		put_some(check, bench, &line);
		bench_jump_clock(jumps_ns[life]);
		put_some(check, bench, &line);
		if (check_ops(check)->tick)
			(void)check_ops(check)->tick(&bench->stage);
		take_all(check, bench, &line, is_durable && life + 1 < LIVES);
		bench_close(bench);
		bench_restart_clock();
		bench_jump_clock(2 * DAY_NS);
	}
}

/* Events `from` to `to` are new; what is inside is taken, some of it ends, and the rest comes back. */
static void live(struct check *check, int64_t first, int64_t from, int64_t to, size_t ended)
{
	struct bench *bench = queue_start(check, check_open(check));
	struct sluice_event *events[2 * ALL];
	for (int64_t number = from; number < to; number++)
		queue_must_put(check, bench, queue_make(bench, "s", number));
	queue_take_numbers(check, bench, events, (size_t)(to - first), first);
	for (size_t i = 0; i < (size_t)(to - first); i++) {
		events[i]->acknowledged = true;
		queue_finish(bench, events[i], i < ended ? SLUICE_PASS : SLUICE_RETRY);
		bench_free(events[i]);
	}
	bench_close(bench);
}

void queue_starts_from_an_older_copy(struct check *check)
{
	world_enter(check, &(struct world){.number = 0});
	bench_close(queue_open_empty(check));
	live(check, 0, 0, OLD, 0);
	if (!world_keep_copy(check)) {
		live(check, 0, OLD, OLD, OLD); /* what it keeps elsewhere is left as it was found */
		check_skip(check, "it keeps no files in its folder");
	}
	live(check, 0, OLD, ALL, OLD);
	world_go_back(check);
	live(check, 0, OLD, ALL, OLD / 2); /* what ended since comes again, and what was put since does not */
	live(check, OLD / 2, ALL, ALL + 1, ALL);
}
