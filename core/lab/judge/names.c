/*
 * Names as numbers; see names.h.
 */
#include "lab/judge/names.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/digest.h"

void names_finish(struct names *names)
{
	free(names->list);
	hash_table_finish(&names->table);
	*names = (struct names){0};
}

struct wanted {
	const struct names *names;
	struct sluice_bytes name;
};

static bool matches(const void *key, uintptr_t value)
{
	const struct wanted *wanted = key;
	return sluice_bytes_equal(wanted->names->list[value - 1], wanted->name);
}

size_t names_add(struct names *names, struct sluice_bytes name)
{
	size_t found = names_find(names, name);
	if (found != NAMES_NONE)
		return found;
	if (names->count == names->room) {
		names->room = names->room ? 2 * names->room : 64;
		names->list = must_realloc(names->list, names->room * sizeof(*names->list));
	}
	names->list[names->count++] = name;
	hash_table_add(&names->table, digest_hash(name.data, name.size), names->count);
	return names->count - 1;
}

size_t names_find(const struct names *names, struct sluice_bytes name)
{
	struct wanted wanted = {names, name};
	uintptr_t found = hash_table_find(&names->table, digest_hash(name.data, name.size), matches, &wanted);
	return found ? found - 1 : NAMES_NONE;
}
