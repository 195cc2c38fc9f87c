/*
 * Every range is a mapping with a page behind it that is never accessible. Ended ranges stay mapped, without memory, in
 * a ring: a late access finds nothing there, and not by chance the next event.
 */
#include "conform/pages.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { RANGE_SIZE = 16384, ENDED_MAX = 2048 /* ranges */ };

struct pages_range {
	struct pages_range *next;
	size_t size; /* without the guard */
};

static struct ended {
	char *start;
	size_t size;
} ended[ENDED_MAX];
static size_t ended_next;
static pthread_mutex_t ended_lock = PTHREAD_MUTEX_INITIALIZER;

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t round_up(size_t size, size_t unit)
{
	return (size + unit - 1) / unit * unit;
}

static struct pages_range *add_range(struct pages *pages, size_t size)
{
	size = round_up(size, page_size());
	void *start = mmap(NULL, size + page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED || mprotect(start, size, PROT_READ | PROT_WRITE) != 0) {
		perror("sluice: memory for an event");
		abort();
	}
	struct pages_range *range = start;
	*range = (struct pages_range){pages->ranges, size};
	pages->ranges = range;
	return range;
}

void *pages_alloc(struct pages *pages, size_t size)
{
	size_t rounded = round_up(size ? size : 1, alignof(max_align_t));
	if ((size_t)(pages->end - pages->next) < rounded) {
		size_t head = round_up(sizeof(struct pages_range), alignof(max_align_t));
		size_t least = head + rounded;
		struct pages_range *range = add_range(pages, least > RANGE_SIZE ? least : RANGE_SIZE);
		pages->next = (char *)range + head;
		pages->end = (char *)range + range->size;
	}
	void *memory = pages->next;
	pages->next += rounded;
	return memory;
}

void *pages_alloc_end(struct pages *pages, size_t size)
{
	struct pages_range *range = add_range(pages, sizeof(*range) + size);
	return (char *)range + range->size - size;
}

static void end_range(struct pages_range *range)
{
	struct ended mine = {(char *)range, range->size + page_size()};
	(void)madvise(mine.start, mine.size, MADV_DONTNEED);
	(void)mprotect(mine.start, mine.size, PROT_NONE);
	(void)pthread_mutex_lock(&ended_lock);
	struct ended oldest = ended[ended_next];
	ended[ended_next] = mine;
	ended_next = (ended_next + 1) % ENDED_MAX;
	(void)pthread_mutex_unlock(&ended_lock);
	if (oldest.start)
		(void)munmap(oldest.start, oldest.size);
}

void pages_end(struct pages *pages)
{
	struct pages_range *range = pages->ranges;
	*pages = (struct pages){0};
	while (range) {
		struct pages_range *next = range->next;
		end_range(range);
		range = next;
	}
}

bool pages_have_ended(const void *address)
{
	uintptr_t place = (uintptr_t)address;
	for (size_t i = 0; i < ENDED_MAX; i++) {
		uintptr_t start = (uintptr_t)ended[i].start;
		if (start && place >= start && place - start < ended[i].size)
			return true;
	}
	return false;
}
