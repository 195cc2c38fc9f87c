/*
 * A binary heap; see heap.h.
 */
#include "lab/load/heap.h"

#include <assert.h>
#include <stdlib.h>

#include "base/arena.h"

void heap_finish(struct heap *heap)
{
	free(heap->items);
	*heap = (struct heap){0};
}

static bool comes_before(struct heap_item a, struct heap_item b)
{
	return a.key != b.key ? a.key < b.key : a.value < b.value;
}

void heap_put(struct heap *heap, int64_t key, uint32_t value)
{
	if (heap->count == heap->room) {
		heap->room = heap->room ? 2 * heap->room : 64;
		heap->items = must_realloc(heap->items, heap->room * sizeof(*heap->items));
	}
	struct heap_item item = {key, value};
	size_t at = heap->count++;
	for (size_t parent; at > 0 && comes_before(item, heap->items[parent = (at - 1) / 2]); at = parent)
		heap->items[at] = heap->items[parent];
	heap->items[at] = item;
}

const struct heap_item *heap_get_first(const struct heap *heap)
{
	return heap->count > 0 ? &heap->items[0] : NULL;
}

bool heap_comes_before(const struct heap *a, const struct heap *b)
{
	assert(a->count > 0 && b->count > 0);
	return comes_before(a->items[0], b->items[0]);
}

uint32_t heap_take_first(struct heap *heap)
{
	assert(heap->count > 0);
	uint32_t first = heap->items[0].value;
	struct heap_item last = heap->items[--heap->count];
	size_t at = 0;
	for (size_t child; (child = 2 * at + 1) < heap->count; at = child) {
		if (child + 1 < heap->count && comes_before(heap->items[child + 1], heap->items[child]))
			child++;
		if (!comes_before(heap->items[child], last))
			break;
		heap->items[at] = heap->items[child];
	}
	heap->items[at] = last;
	return first;
}
