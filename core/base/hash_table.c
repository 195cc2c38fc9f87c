/*
 * Open addressing with linear probing, never more than half full. Removing moves back what was pushed behind the gap, so no
 * tombstones pile up where entries come and go.
 */
#include "base/hash_table.h"

#include <stdlib.h>

#include "base/arena.h"

enum { ROOM_MIN = 64 };

void hash_table_finish(struct hash_table *table)
{
	free(table->entries);
	*table = (struct hash_table){0};
}

static size_t home_of(const struct hash_table *table, uint64_t hash)
{
	return (size_t)hash & (table->room - 1);
}

static size_t after(const struct hash_table *table, size_t i)
{
	return (i + 1) & (table->room - 1);
}

uintptr_t hash_table_find(const struct hash_table *table, uint64_t hash, hash_table_match_fn matches, const void *key)
{
	if (table->count == 0)
		return 0;
	for (size_t i = home_of(table, hash); table->entries[i].value; i = after(table, i))
		if (table->entries[i].hash == hash && matches(key, table->entries[i].value))
			return table->entries[i].value;
	return 0;
}

static void put(struct hash_table *table, struct hash_table_entry entry)
{
	size_t i = home_of(table, entry.hash);
	while (table->entries[i].value)
		i = after(table, i);
	table->entries[i] = entry;
}

static void grow(struct hash_table *table)
{
	struct hash_table old = *table;
	table->room = old.room ? 2 * old.room : ROOM_MIN;
	table->entries = must_calloc(table->room, sizeof(*table->entries));
	for (size_t i = 0; i < old.room; i++)
		if (old.entries[i].value)
			put(table, old.entries[i]);
	free(old.entries);
}

void hash_table_add(struct hash_table *table, uint64_t hash, uintptr_t value)
{
	if (2 * (table->count + 1) > table->room)
		grow(table);
	put(table, (struct hash_table_entry){hash, value});
	table->count++;
}

void hash_table_remove(struct hash_table *table, uint64_t hash, uintptr_t value)
{
	size_t gap = home_of(table, hash);
	while (table->entries[gap].value != value)
		gap = after(table, gap);
	for (size_t i = after(table, gap); table->entries[i].value; i = after(table, i)) {
		/* An entry may move into the gap unless its home lies behind it. */
		size_t home = home_of(table, table->entries[i].hash), mask = table->room - 1;
		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		table->entries[gap] = table->entries[i];
		gap = i;
	}
	table->entries[gap] = (struct hash_table_entry){0};
	table->count--;
}
