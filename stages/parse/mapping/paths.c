/*
 * Pointers and the members they lead to; see paths.h. A step costs a comparison for each pointer that has led so far.
 */
#include "paths.h"

#include <string.h>

#include "span.h"

static struct level *innermost(struct paths *paths)
{
	return &paths->levels[paths->depth - 1];
}

void paths_init(struct paths *paths, struct sluice_event *event, struct sluice_bytes text)
{
	paths->keys.event = event;
	paths->keys.text = text;
	memset(paths->keys.more, 0, sizeof(paths->keys.more));
	paths_begin(paths);
}

void paths_begin(struct paths *paths)
{
	paths->keys.count = 0;
	paths->depth = 0;
	for (size_t i = 0; i < paths->source_count; i++)
		paths->spans[i] = (struct sluice_bytes){NULL, 0};
}

/* Those that have a token more than `step`. */
static uint64_t longer_than(const struct paths *paths, uint64_t pointers, size_t step)
{
	uint64_t longer = 0;
	for (; pointers; pointers &= pointers - 1) {
		size_t i = (size_t)__builtin_ctzll(pointers);
		longer |= (uint64_t)(paths->sources[i].pointer.count > step) << i;
	}
	return longer;
}

static void mark(struct level *level, char first)
{
	unsigned char byte = (unsigned char)first;
	level->first[byte / 64] |= (uint64_t)1 << byte % 64;
}

/* An escape may stand for any character. */
static void mark_first_bytes(struct paths *paths, struct level *level)
{
	size_t count = 0;
	mark(level, '\\');
	for (uint64_t left = level->through; left; left &= left - 1) {
		struct sluice_bytes token = paths->sources[__builtin_ctzll(left)].pointer.tokens[paths->depth - 1];
		char first = token.size ? *token.data : '"';
		mark(level, first);
		level->few[count++ % 2] = first;
	}
	level->few[1] = count == 1 ? level->few[0] : level->few[1];
	level->is_few = count <= 2;
}

bool paths_open(struct paths *paths, bool is_object)
{
	uint64_t all = paths->source_count ? UINT64_MAX >> (PATHS_MAX - paths->source_count) : 0;
	uint64_t through = longer_than(paths, paths->depth ? innermost(paths)->next : all, paths->depth);
	bool compares_keys = paths->depth == 0 && is_object;
	if (!through && !compares_keys)
		return false;
	struct level *level = &paths->levels[paths->depth++];
	*level = (struct level){.through = through};
	if (compares_keys)
		memset(level->first, 0xff, sizeof(level->first));
	else
		mark_first_bytes(paths, level);
	return true;
}

bool paths_key(struct paths *paths, struct sluice_bytes key)
{
	struct level *level = innermost(paths);
	level->next = 0;
	for (uint64_t left = level->through; left; left &= left - 1) {
		size_t i = (size_t)__builtin_ctzll(left);
		if (!span_key_is(key, paths->sources[i].pointer.tokens[paths->depth - 1]))
			continue;
		level->next |= left & -left;
		paths->spans[i] = (struct sluice_bytes){NULL, 0}; /* of equal keys the last counts */
	}
	return paths->depth > 1 || keys_add(&paths->keys, key);
}

void paths_element(struct paths *paths)
{
	struct level *level = innermost(paths);
	level->next = 0;
	for (uint64_t left = level->through; left; left &= left - 1) {
		size_t i = (size_t)__builtin_ctzll(left);
		if (paths->sources[i].pointer.indexes[paths->depth - 1] == level->index)
			level->next |= left & -left;
	}
	level->index++;
}

void paths_value(struct paths *paths, struct sluice_bytes value)
{
	for (uint64_t left = innermost(paths)->next; left; left &= left - 1) {
		size_t i = (size_t)__builtin_ctzll(left);
		if (paths->sources[i].pointer.count == paths->depth)
			paths->spans[i] = value;
	}
}

void paths_close(struct paths *paths)
{
	paths->depth--;
}
