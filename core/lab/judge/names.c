/*
 * A table with open addressing, never more than half full; see names.h.
 */
#include "lab/judge/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/digest.h"

void names_finish(struct names *names)
{
	free(names->list);
	free(names->slots);
	*names = (struct names){0};
}

static bool is_same(struct sluice_bytes a, struct sluice_bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Where the name is, or would be put. */
static size_t *slot_of(const struct names *names, struct sluice_bytes name)
{
	size_t mask = names->slot_count - 1;
	size_t i = (size_t)digest_hash(name.data, name.size) & mask;
	while (names->slots[i] && !is_same(names->list[names->slots[i] - 1], name))
		i = (i + 1) & mask;
	return &names->slots[i];
}

/* Doubles the room; list and slots grow together. */
static void grow(struct names *names)
{
	free(names->slots);
	names->slot_count = names->slot_count ? 2 * names->slot_count : 128;
	names->slots = must_calloc(names->slot_count, sizeof(*names->slots));
	names->list = must_realloc(names->list, names->slot_count / 2 * sizeof(*names->list));
	for (size_t i = 0; i < names->count; i++)
		*slot_of(names, names->list[i]) = i + 1;
}

size_t names_add(struct names *names, struct sluice_bytes name)
{
	if (names->count == names->slot_count / 2)
		grow(names);
	size_t *slot = slot_of(names, name);
	if (*slot == 0) {
		names->list[names->count++] = name;
		*slot = names->count;
	}
	return *slot - 1;
}

size_t names_find(const struct names *names, struct sluice_bytes name)
{
	if (names->count == 0)
		return NAMES_NONE;
	size_t slot = *slot_of(names, name);
	return slot ? slot - 1 : NAMES_NONE;
}
