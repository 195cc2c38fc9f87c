/*
 * Removed events; see pruned.h. They are sorted by id while the trail's covers are looked up, and then by digest.
 */
#include "lab/judge/pruned.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "lab/judge/pruning.h"

enum { COVER_SIZE = 8 + SLUICE_DIGEST_SIZE };

static void add(struct pruned *pruned, int64_t id)
{
	if (pruned->count == pruned->room) {
		pruned->room = pruned->room ? 2 * pruned->room : 1024;
		pruned->events = must_realloc(pruned->events, pruned->room * sizeof(*pruned->events));
	}
	pruned->events[pruned->count++] = (struct pruned_event){.id = id};
}

static bool take_pruning(void *context, const struct sluice_audit_row *row)
{
	if (!pruning_is(row))
		return true;
	struct pruning *pruning = pruning_keep(row, NULL);
	struct pruning_walk walk = {.pruning = pruning};
	while (pruning_next(&walk))
		add(context, walk.id);
	pruning_free(pruning);
	return true;
}

static int by_id(const void *a, const void *b)
{
	const struct pruned_event *left = a, *right = b;
	return (left->id > right->id) - (left->id < right->id);
}

/* Those without a digest come last. */
static int by_digest(const void *a, const void *b)
{
	const struct pruned_event *left = a, *right = b;
	if (left->is_known != right->is_known)
		return left->is_known ? -1 : 1;
	return memcmp(left->digest, right->digest, sizeof(left->digest));
}

static bool take_covers(void *context, const struct sluice_audit_row *row)
{
	struct pruned *pruned = context;
	const uint8_t *bytes = (const uint8_t *)row->covers.data;
	if (pruning_is(row))
		return true;
	for (size_t at = 0; at + COVER_SIZE <= row->covers.size; at += COVER_SIZE) {
		uint64_t id = 0;
		for (int byte = 0; byte < 8; byte++)
			id = id << 8 | bytes[at + (size_t)byte];
		const struct pruned_event wanted = {.id = (int64_t)id};
		struct pruned_event *event = bsearch(&wanted, pruned->events, pruned->count, sizeof(wanted), by_id);
		if (!event)
			continue;
		memcpy(event->digest, bytes + at + 8, SLUICE_DIGEST_SIZE);
		event->is_known = true;
	}
	return true;
}

bool pruned_read(const struct audit_source *source, struct pruned *pruned, struct sluice_error *error)
{
	if (!source->audit_scan(source->store, take_pruning, pruned, error))
		return false;
	if (pruned->count == 0)
		return true;
	qsort(pruned->events, pruned->count, sizeof(*pruned->events), by_id);
	bool ok = source->audit_scan(source->store, take_covers, pruned, error);
	qsort(pruned->events, pruned->count, sizeof(*pruned->events), by_digest);
	while (pruned->count > 0 && !pruned->events[pruned->count - 1].is_known)
		pruned->count--;
	return ok;
}

void pruned_finish(struct pruned *pruned)
{
	free(pruned->events);
	*pruned = (struct pruned){0};
}

bool pruned_take(struct pruned *pruned, const uint8_t digest[SLUICE_DIGEST_SIZE])
{
	size_t low = 0, high = pruned->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (memcmp(pruned->events[middle].digest, digest, SLUICE_DIGEST_SIZE) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < pruned->count && memcmp(pruned->events[low].digest, digest, SLUICE_DIGEST_SIZE) == 0; low++) {
		if (pruned->events[low].is_taken)
			continue;
		pruned->events[low].is_taken = true;
		return true;
	}
	return false;
}
