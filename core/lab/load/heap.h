/*
 * A priority queue of numbers: the one with the smallest key comes first, equal keys in the order of the numbers.
 */
#ifndef LAB_LOAD_HEAP_H
#define LAB_LOAD_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_item {
	int64_t key;
	uint32_t value;
};

/* Starts as {0}. */
struct heap {
	struct heap_item *items;
	size_t count, room;
};

void heap_finish(struct heap *heap);
void heap_put(struct heap *heap, int64_t key, uint32_t value);

/* The first, which stays; NULL: there is none. Valid until the next call. */
const struct heap_item *heap_get_first(const struct heap *heap);

/* Whether the first of `a` comes before the first of `b`. Not of empty heaps. */
bool heap_comes_before(const struct heap *a, const struct heap *b);

/* The first's value, which is gone then. Not of an empty heap. */
uint32_t heap_take_first(struct heap *heap);

#endif
