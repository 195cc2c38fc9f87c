/*
 * The model of a queue: events by number, in the order of put(). One that is durable gives back, after a restart or a
 * crash, what was not done, in that order; of what was done, a crash may bring some back.
 */
#include "conform/model.h"
#include "conform/suite_queue.h"

#include <time.h>

#include "base/clock.h"

enum { EVENTS_MAX = 256, TAKE_TIMEOUT_S = 5 };

enum state {
	UNUSED,
	INSIDE,
	TAKEN,
	POSTPONED, /* done with RETRY: it comes back in the next life */
	ENDED,
};

struct kept {
	uint8_t states[EVENTS_MAX];
	size_t count;
	size_t last; /* taken, and 1 */
	bool has_crashed;
};

static struct sluice_event *events[EVENTS_MAX];

static struct kept *kept_of(const struct model *model)
{
	return model->kept;
}

static bool is_durable(const struct model *model)
{
	return (check_ops(model->check)->of.queue->flags & SLUICE_QUEUE_DURABLE) != 0;
}

static size_t first_inside(const struct kept *kept)
{
	size_t number = 0;
	while (number < kept->count && kept->states[number] != INSIDE)
		number++;
	return number;
}

static void begin(struct model *model)
{
	model->bench = queue_start(model->check, check_open(model->check));
}

static void put(struct model *model, const uint8_t *arguments)
{
	static const char *const streams[] = {"a", "b", NULL};
	struct kept *kept = kept_of(model);
	if (kept->count == EVENTS_MAX)
		return;
	struct sluice_event *event = queue_make(model->bench, streams[arguments[0]], (int64_t)kept->count);
	queue_must_put(model->check, model->bench, event);
	event->acknowledged = true;
	kept->states[kept->count++] = INSIDE;
}

/* One more; false: there is none. Of a durable queue it may still be on its way from the disk. */
static bool take_one(struct model *model)
{
	struct kept *kept = kept_of(model);
	struct sluice_event *event;
	size_t expected = first_inside(kept);
	int64_t until_ns = clock_now_ns() + TAKE_TIMEOUT_S * NS_PER_S;
	while (queue_take(model->bench, &event, 1) == 0) {
		if (expected == kept->count)
			return false;
		check_that(model->check, clock_now_ns() < until_ns,
		           "event %zu is inside, and take() yields nothing for %d s", expected, TAKE_TIMEOUT_S);
		(void)nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS / 10}, NULL);
	}
	size_t number = (size_t)event->sequence;
	bool may_come_again = kept->has_crashed && number < kept->count && kept->states[number] == ENDED &&
	                      number < expected && number >= kept->last;
	check_that(model->check, number == expected || may_come_again, "expected event %zu next, got event %zu%s",
	           expected, number, number < kept->count && kept->states[number] == ENDED ? ", which is done" : "");
	events[number] = event;
	kept->states[number] = TAKEN;
	kept->last = number + 1;
	return true;
}

static void take(struct model *model, const uint8_t *arguments)
{
	for (unsigned i = 0; i <= arguments[0] && take_one(model); i++)
		;
}

static void finish(struct model *model, size_t number, enum sluice_verdict verdict)
{
	queue_finish(model->bench, events[number], verdict);
	bench_free(events[number]);
	kept_of(model)->states[number] = verdict == SLUICE_RETRY ? POSTPONED : ENDED;
}

/* The so-manieth of those that were taken. */
static void done(struct model *model, const uint8_t *arguments)
{
	static const enum sluice_verdict verdicts[] = {SLUICE_PASS, SLUICE_FAIL, SLUICE_RETRY, SLUICE_DONE,
	                                               SLUICE_REJECT};
	struct kept *kept = kept_of(model);
	size_t left = arguments[0];
	for (size_t number = 0; number < kept->count; number++) {
		if (kept->states[number] == TAKEN && left-- == 0) {
			finish(model, number, verdicts[arguments[1]]);
			return;
		}
	}
}

/* What comes back in the next life; of a queue that is not durable, nothing. */
static void end_life(struct model *model, bool by_crash)
{
	struct kept *kept = kept_of(model);
	for (size_t number = 0; number < kept->count; number++) {
		uint8_t *state = &kept->states[number];
		if (*state != ENDED)
			*state = is_durable(model) ? INSIDE : ENDED;
	}
	kept->has_crashed |= by_crash && is_durable(model);
	kept->last = 0;
}

/* As the dispatcher does it: what is inside is taken, and ends with RETRY. */
static void end(struct model *model)
{
	struct kept *kept = kept_of(model);
	while (take_one(model))
		;
	for (size_t number = 0; number < kept->count; number++) {
		if (kept->states[number] == TAKEN)
			finish(model, number, SLUICE_RETRY);
	}
	bench_close(model->bench);
}

static void restart(struct model *model, const uint8_t *arguments)
{
	(void)arguments;
	end(model);
	end_life(model, false);
	begin(model);
}

static void kill_it(struct model *model, const uint8_t *arguments)
{
	(void)arguments;
	end_life(model, true);
	model_crash(false);
}

static void cut(struct model *model, const uint8_t *arguments)
{
	(void)arguments;
	end_life(model, true);
	model_crash(true);
}

static const struct model_step steps[] = {
	{"put", "n", {3}, 24, put},       {"take", "n", {4}, 10, take},  {"done", "nv", {6, 5}, 20, done},
	{"restart", "", {0}, 1, restart}, {"kill", "", {0}, 1, kill_it}, {"cut", "", {0}, 1, cut},
	{NULL, NULL, {0}, 0, NULL},
};

const struct model_kind model_of_queue = {.steps = steps, .kept_size = sizeof(struct kept), .begin = begin, .end = end};
