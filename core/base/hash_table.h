/*
 * A hash table of values that their owner knows how to compare: pointers, or numbers from 1. The owner hashes
 * (digest_hash() where senders choose the keys) and locks.
 */
#ifndef BASE_HASH_TABLE_H
#define BASE_HASH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_table_entry {
	uint64_t hash;
	uintptr_t value; /* 0: free */
};

/* Starts as {0}. */
struct hash_table {
	struct hash_table_entry *entries;
	size_t count, room; /* `room`: 0 or a power of two */
};

void hash_table_finish(struct hash_table *table);

/* Whether `value` is what is looked for. */
typedef bool (*hash_table_match_fn)(const void *key, uintptr_t value);

/* The value that has this hash and matches; 0: there is none. */
uintptr_t hash_table_find(const struct hash_table *table, uint64_t hash, hash_table_match_fn matches, const void *key);

/* `value` is not 0, and was not found. */
void hash_table_add(struct hash_table *table, uint64_t hash, uintptr_t value);

/* `value` was added with this hash. */
void hash_table_remove(struct hash_table *table, uint64_t hash, uintptr_t value);

#endif
