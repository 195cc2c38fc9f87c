/*
 * Lanes; see lane.h. A hash table from stream to lane, a list of the ready ones, a list of the held ones.
 */
#include "runtime/lane.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/hash_table.h"

enum lane_state { LANE_IDLE, LANE_READY, LANE_LEASED, LANE_HELD };

struct lane {
	enum lane_state state;
	struct event_list waiting;
	size_t waiting_count;
	int64_t held_until_ns;
	struct lane *next; /* in the ready, held or spare list */
	uint64_t hash;
	size_t stream_size; /* 0: the lane of one event without a stream, not in the table */
	char stream[SLUICE_NAME_MAX];
};

struct lanes {
	struct hash_table streams; /* lanes */
	struct lane *first_ready, *last_ready;
	size_t ready_events;
	struct lane *held;
	struct lane *spare;
};

struct lanes *lanes_create(void)
{
	return must_calloc(1, sizeof(struct lanes));
}

void lanes_destroy(struct lanes *lanes)
{
	while (lanes->spare) {
		struct lane *lane = lanes->spare;
		lanes->spare = lane->next;
		free(lane);
	}
	hash_table_finish(&lanes->streams);
	free(lanes);
}

static struct lane *new_lane(struct lanes *lanes)
{
	struct lane *lane = lanes->spare;
	if (lane)
		lanes->spare = lane->next;
	else
		lane = must_alloc(sizeof(*lane));
	lane->state = LANE_IDLE;
	lane->waiting = (struct event_list){0};
	lane->waiting_count = 0;
	lane->stream_size = 0;
	lane->next = NULL;
	return lane;
}

static bool is_lane_of(const void *key, uintptr_t value)
{
	const struct sluice_bytes *stream = key;
	const struct lane *lane = (const struct lane *)value;
	return lane->stream_size == stream->size && memcmp(lane->stream, stream->data, stream->size) == 0;
}

static struct lane *lane_of_stream(struct lanes *lanes, struct sluice_bytes stream)
{
	uint64_t hash = digest_hash(stream.data, stream.size);
	struct lane *lane = (struct lane *)hash_table_find(&lanes->streams, hash, is_lane_of, &stream);
	if (lane)
		return lane;
	lane = new_lane(lanes);
	lane->hash = hash;
	lane->stream_size = stream.size;
	memcpy(lane->stream, stream.data, stream.size);
	hash_table_add(&lanes->streams, hash, (uintptr_t)lane);
	return lane;
}

static void make_ready(struct lanes *lanes, struct lane *lane)
{
	lane->state = LANE_READY;
	lane->next = NULL;
	if (lanes->first_ready)
		lanes->last_ready->next = lane;
	else
		lanes->first_ready = lane;
	lanes->last_ready = lane;
	lanes->ready_events += lane->waiting_count;
}

static void drop(struct lanes *lanes, struct lane *lane)
{
	if (lane->stream_size)
		hash_table_remove(&lanes->streams, lane->hash, (uintptr_t)lane);
	lane->next = lanes->spare;
	lanes->spare = lane;
}

void lanes_add(struct lanes *lanes, struct event *event)
{
	struct sluice_bytes stream = event->pub.stream;
	bool has_stream = stream.size > 0 && stream.size <= SLUICE_NAME_MAX;
	struct lane *lane = has_stream ? lane_of_stream(lanes, stream) : new_lane(lanes);
	event->lane = lane;
	event_list_append(&lane->waiting, event);
	lane->waiting_count++;
	if (lane->state == LANE_READY)
		lanes->ready_events++;
	else if (lane->state == LANE_IDLE)
		make_ready(lanes, lane);
}

size_t lanes_lease(struct lanes *lanes, struct sluice_event **batch, struct lane_limit limit)
{
	size_t count = 0, bytes = 0;
	while (lanes->first_ready && count < limit.events) {
		struct lane *lane = lanes->first_ready;
		const struct event *next = lane->waiting.first;
		if (count > 0 && bytes + next->pub.payload.size > limit.bytes)
			break;
		lanes->first_ready = lane->next;
		lanes->ready_events -= lane->waiting_count;
		lane->state = LANE_LEASED;
		do {
			bytes += next->pub.payload.size;
			batch[count++] = &event_list_take(&lane->waiting)->pub;
			lane->waiting_count--;
			next = lane->waiting.first;
		} while (next && count < limit.events && bytes + next->pub.payload.size <= limit.bytes);
	}
	return count;
}

void lanes_release(struct lanes *lanes, struct lane *lane, struct event_list *again, int64_t held_until_ns)
{
	if (again->first) {
		for (struct event *event = again->first; event; event = event->next)
			lane->waiting_count++;
		again->last->next = lane->waiting.first;
		lane->waiting.first = again->first;
		if (!lane->waiting.last)
			lane->waiting.last = again->last;
		lane->state = LANE_HELD;
		lane->held_until_ns = held_until_ns;
		lane->next = lanes->held;
		lanes->held = lane;
	} else if (lane->waiting.first) {
		make_ready(lanes, lane);
	} else {
		drop(lanes, lane);
	}
}

struct event_list lanes_take_waiting(struct lane *lane)
{
	struct event_list waiting = lane->waiting;
	lane->waiting = (struct event_list){0};
	lane->waiting_count = 0;
	return waiting;
}

static void take_list(struct lanes *lanes, struct lane *lane, struct event_list *all)
{
	while (lane) {
		struct lane *next = lane->next;
		struct event *event;
		while ((event = event_list_take(&lane->waiting)))
			event_list_append(all, event);
		drop(lanes, lane);
		lane = next;
	}
}

struct event_list lanes_take_all(struct lanes *lanes)
{
	struct event_list all = {0};
	take_list(lanes, lanes->first_ready, &all);
	take_list(lanes, lanes->held, &all);
	lanes->first_ready = lanes->held = NULL;
	lanes->ready_events = 0;
	return all;
}

int64_t lanes_wake_held(struct lanes *lanes, int64_t now_ns)
{
	int64_t next_ns = INT64_MAX;
	struct lane **link = &lanes->held;
	while (*link) {
		struct lane *lane = *link;
		if (lane->held_until_ns <= now_ns) {
			*link = lane->next;
			make_ready(lanes, lane);
			continue;
		}
		if (lane->held_until_ns < next_ns)
			next_ns = lane->held_until_ns;
		link = &lane->next;
	}
	return next_ns;
}

size_t lanes_ready(const struct lanes *lanes)
{
	return lanes->ready_events;
}

int64_t lanes_oldest_ready_ns(const struct lanes *lanes)
{
	return lanes->first_ready ? lanes->first_ready->waiting.first->entered_ns : 0;
}
