/*
 * Bump allocation; see arena.h. Under AddressSanitizer what is not allocated is poisoned, so that a stage which keeps a
 * pointer past the event's end is found out.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#endif

#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
#define POISON(pointer, size) ASAN_POISON_MEMORY_REGION((pointer), (size))
#define UNPOISON(pointer, size) ASAN_UNPOISON_MEMORY_REGION((pointer), (size))
#else
#define POISON(pointer, size) ((void)(pointer), (void)(size))
#define UNPOISON(pointer, size) ((void)(pointer), (void)(size))
#endif

struct arena_block {
	struct arena_block *next;
	size_t size, used; /* of data */
	alignas(max_align_t) unsigned char data[];
};

static size_t round_up(size_t size)
{
	size_t unit = alignof(max_align_t);
	return (size + unit - 1) & ~(unit - 1);
}

static void give_back(struct arena_budget *budget, const struct arena_budget *end, size_t size)
{
	for (; budget != end; budget = budget->parent)
		atomic_fetch_sub_explicit(&budget->used, size, memory_order_relaxed);
}

static bool charge(struct arena *arena, size_t size)
{
	if (!arena->budget)
		return true;
	for (struct arena_budget *budget = arena->budget; budget; budget = budget->parent) {
		size_t before = atomic_fetch_add_explicit(&budget->used, size, memory_order_relaxed);
		size_t limit = atomic_load_explicit(&budget->limit, memory_order_relaxed);
		if (!limit || before + size <= limit)
			continue;
		give_back(arena->budget, budget->parent, size);
		return false;
	}
	arena->charged += size;
	return true;
}

static void refund(struct arena *arena, size_t size)
{
	if (!arena->budget)
		return;
	give_back(arena->budget, NULL, size);
	arena->charged -= size;
}

void arena_leave_budget(struct arena *arena)
{
	struct arena_budget *budget = arena->budget;
	give_back(budget, budget->parent, arena->charged);
	arena->budget = budget->parent;
}

size_t arena_block_size(size_t wished)
{
	return round_up(wished);
}

void arena_init(struct arena *arena, size_t block_size, struct arena_budget *budget)
{
	*arena = (struct arena){.block_size = round_up(block_size), .budget = budget};
}

static void free_from(struct arena *arena, struct arena_block *block)
{
	while (block) {
		struct arena_block *next = block->next;
		refund(arena, block->size);
		UNPOISON(block->data, block->size);
		free(block);
		block = next;
	}
}

void arena_empty(struct arena *arena)
{
	if (!arena->first)
		return;
	free_from(arena, arena->first->next);
	arena->first->next = NULL;
	arena->first->used = 0;
	if (arena->last)
		refund(arena, arena->first->size);
	arena->last = NULL;
	POISON(arena->first->data, arena->first->size);
}

size_t arena_kept(const struct arena *arena)
{
	return arena->first ? arena->first->size : 0;
}

/* A kept block that is too small for the first allocation gives way to the larger one. */
static void drop_kept(struct arena *arena)
{
	if (!arena->first)
		return;
	UNPOISON(arena->first->data, arena->first->size);
	free(arena->first);
	arena->first = NULL;
}

void arena_finish(struct arena *arena)
{
	arena_empty(arena);
	drop_kept(arena);
}

/* The block that arena_empty() has kept, if it is large enough; charged again. */
static struct arena_block *reuse_first(struct arena *arena, size_t at_least)
{
	struct arena_block *block = arena->first;
	if (arena->last || !block || block->size < at_least || !charge(arena, block->size))
		return NULL;
	return arena->last = block;
}

static struct arena_block *add_block(struct arena *arena, size_t at_least)
{
	struct arena_block *kept = reuse_first(arena, at_least);
	if (kept)
		return kept;
	size_t size = at_least > arena->block_size ? at_least : arena->block_size;
	if (size > SIZE_MAX / 2 || !charge(arena, size))
		return NULL;
	struct arena_block *block = malloc(sizeof(*block) + size);
	if (!block) {
		refund(arena, size);
		return NULL;
	}
	block->next = NULL;
	block->size = size;
	block->used = 0;
	POISON(block->data, size);
	if (arena->last) {
		arena->last->next = block;
	} else {
		drop_kept(arena);
		arena->first = block;
	}
	arena->last = block;
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	if (size > SIZE_MAX / 2)
		return NULL;
	size_t rounded = round_up(size ? size : 1);
	struct arena_block *block = arena->last;
	if (!block || block->size - block->used < rounded)
		block = add_block(arena, rounded);
	if (!block)
		return NULL;
	void *memory = block->data + block->used;
	block->used += rounded;
	UNPOISON(memory, size);
	return memory;
}

bool arena_extend(struct arena *arena, void *pointer, size_t old_size, size_t new_size)
{
	struct arena_block *block = arena->last;
	if (!block || new_size > SIZE_MAX / 2)
		return false;
	size_t start = (size_t)((unsigned char *)pointer - block->data);
	bool is_newest = (unsigned char *)pointer >= block->data &&
	                 start + round_up(old_size ? old_size : 1) == block->used;
	if (!is_newest || block->size - start < round_up(new_size))
		return false;
	block->used = start + round_up(new_size);
	UNPOISON(pointer, new_size);
	return true;
}

/* Moves a block that holds one allocation and nothing else to a larger one. */
static void *move_block(struct arena *arena, struct arena_block *block, size_t new_size)
{
	struct arena_block **link = &arena->first;
	while (*link != block)
		link = &(*link)->next;
	size_t size = round_up(new_size), more = size - block->size;
	if (!charge(arena, more))
		return NULL;
	UNPOISON(block->data, block->size);
	struct arena_block *larger = realloc(block, sizeof(*block) + size);
	if (!larger) {
		refund(arena, more);
		return NULL;
	}
	larger->size = larger->used = size;
	*link = arena->last = larger;
	return larger->data;
}

void *arena_grow(struct arena *arena, void *pointer, size_t old_size, size_t new_size)
{
	if (!pointer)
		return arena_alloc(arena, new_size);
	if (new_size > SIZE_MAX / 2)
		return NULL;
	if (arena_extend(arena, pointer, old_size, new_size))
		return pointer;
	struct arena_block *block = arena->last;
	bool alone = block && block != arena->first && pointer == block->data &&
	             block->used == round_up(old_size ? old_size : 1);
	if (alone && round_up(new_size) > block->size)
		return move_block(arena, block, new_size);
	void *larger = arena_alloc(arena, new_size);
	if (larger)
		memcpy(larger, pointer, old_size);
	return larger;
}

_Noreturn static void heap_exhausted(void)
{
	static const char text[] = "sluice: out of memory\n";
	(void)fwrite(text, 1, sizeof(text) - 1, stderr);
	abort();
}

void *must_alloc(size_t size)
{
	void *memory = malloc(size ? size : 1);
	if (!memory)
		heap_exhausted();
	return memory;
}

void *must_calloc(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size ? size : 1);
	if (!memory)
		heap_exhausted();
	return memory;
}

void *must_realloc(void *pointer, size_t size)
{
	void *memory = realloc(pointer, size ? size : 1);
	if (!memory)
		heap_exhausted();
	return memory;
}

char *must_strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	return memcpy(must_alloc(size), text, size);
}

void *arena_must(struct arena *arena, size_t size)
{
	void *memory = arena_alloc(arena, size);
	if (!memory)
		heap_exhausted();
	return memset(memory, 0, size);
}

char *arena_strndup(struct arena *arena, const char *text, size_t size)
{
	char *copy = arena_must(arena, size + 1);
	if (size)
		memcpy(copy, text, size);
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return arena_strndup(arena, text, strlen(text));
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list arguments, again;
	va_start(arguments, format);
	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	size_t size = length > 0 ? (size_t)length : 0;
	char *text = arena_must(arena, size + 1);
	(void)vsnprintf(text, size + 1, format, again);
	va_end(again);
	return text;
}
