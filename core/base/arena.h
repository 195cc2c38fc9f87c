/*
 * Memory that is freed all at once: bump allocation in blocks, the first of which is kept when the arena is emptied.
 *
 * One thread at a time. A limit and a shared counter bound what all arenas of a pool hold together.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that several arenas hold together, and how many they may. */
struct arena_budget {
	atomic_size_t used;
	atomic_size_t limit;         /* 0: none */
	struct arena_budget *parent; /* what is charged here is charged there as well; may be NULL */
};

struct arena_block;

struct arena {
	struct arena_block *first; /* kept by arena_empty() */
	struct arena_block *last;
	struct arena_budget *budget; /* may be NULL */
	size_t block_size;
	size_t charged; /* what this arena has taken from the budget */
};

/* What arena_init() makes of a wish: rounded up for alignment. */
size_t arena_block_size(size_t wished);

/* `block_size`: of the first block and the least of each further one. Allocates nothing yet. */
void arena_init(struct arena *arena, size_t block_size, struct arena_budget *budget);
void arena_finish(struct arena *arena);

/* Frees everything; the first block is kept for the next allocation, but no longer charged to the budget. */
void arena_empty(struct arena *arena);

/* From here on the arena is charged to the parent of its budget alone, where it has been charged all along. */
void arena_leave_budget(struct arena *arena);

/* The size of the block that an emptied arena keeps; 0: none. */
size_t arena_kept(const struct arena *arena);

/* Aligned for any type, not zeroed. NULL when the budget is spent (or the heap exhausted). */
void *arena_alloc(struct arena *arena, size_t size);

/* Makes the newest allocation `pointer` larger in place where there is room; false: allocate again and copy. */
bool arena_extend(struct arena *arena, void *pointer, size_t old_size, size_t new_size);

/* Makes the newest allocation larger where it stands if it can, else moves its bytes; NULL as arena_alloc(), the old
 * one then stays. An allocation that has a block to itself leaves nothing behind when it moves. `pointer` NULL:
 * allocates. */
void *arena_grow(struct arena *arena, void *pointer, size_t old_size, size_t new_size);

/* Zeroed; of the heap, ends the process when that is exhausted: for what is built at start, without a budget. */
void *arena_must(struct arena *arena, size_t size);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t size);
__attribute__((format(printf, 2, 3))) char *arena_printf(struct arena *arena, const char *format, ...);

/* malloc, calloc, realloc that end the process with a sentence when the heap is exhausted: the one place for it. */
void *must_alloc(size_t size);
void *must_calloc(size_t count, size_t size);
void *must_realloc(void *pointer, size_t size);
char *must_strdup(const char *text);

#endif
