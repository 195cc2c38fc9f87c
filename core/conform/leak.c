/*
 * Descriptors and threads are counted in /proc. The heap is the C library's own account, or that of a sanitizer, which
 * replaces it.
 */
#include "conform/leak.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

struct holdings {
	size_t descriptors, threads;
	size_t heap; /* bytes allocated */
};

enum {
	HEAP_NOISE = 1024, /* bytes, and one more in four rounds: what is lost in one of many rounds adds up */
	HEAP_NOISE_OF_LIBRARY = 256, /* in each round: its caches and the heap's own cuttings settle slowly */
	SETTLE_MS = 3000,
	WHY_SIZE = 64,
	TRIES = 6, /* caches of the allocator settle slowly; what is lost is lost each time */
};

size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t count_entries(const char *folder)
{
	size_t count = 0;
	DIR *directory = opendir(folder);
	while (directory && readdir(directory))
		count++;
	if (directory)
		(void)closedir(directory);
	return count;
}

static size_t count_heap(void)
{
	if (__sanitizer_get_current_allocated_bytes)
		return __sanitizer_get_current_allocated_bytes();
	struct mallinfo2 info = mallinfo2();
	return info.uordblks + info.hblkhd;
}

static struct holdings count(void)
{
	free(bench_take_log()); /* what the bench remembers is not the stage's */
	free(bench_take_sentences());
	return (struct holdings){
		.descriptors = count_entries("/proc/self/fd"),
		.threads = count_entries("/proc/self/task"),
		.heap = count_heap(),
	};
}

/* Whoever has been joined may still be listed for a moment. */
static struct holdings count_settled(const struct holdings *before)
{
	struct holdings now = count();
	for (int waited = 0; now.threads > before->threads && waited < SETTLE_MS; waited++) {
		(void)nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
		now = count();
	}
	return now;
}

/* Says in `why` what was left behind; false if nothing. */
static bool has_leaked(const struct holdings *before, const struct holdings *now, size_t heap_allowed,
                       char why[WHY_SIZE])
{
	size_t grown = now->heap > before->heap ? now->heap - before->heap : 0;
	if (now->threads > before->threads)
		(void)snprintf(why, WHY_SIZE, "%zu threads running", now->threads - before->threads);
	else if (now->descriptors > before->descriptors)
		(void)snprintf(why, WHY_SIZE, "%zu descriptors open", now->descriptors - before->descriptors);
	else if (grown >= heap_allowed)
		(void)snprintf(why, WHY_SIZE, "%zu bytes allocated", grown);
	else
		return false;
	return true;
}

void leak_expect_at_most(struct check *check, size_t bytes, size_t rounds,
                         void (*once)(struct check *check, void *context, size_t round), void *context,
                         const char *what)
{
	char why[WHY_SIZE] = "";
	for (size_t i = 0; i < rounds; i++)
		once(check, context, i);
	for (int try = 0; try < TRIES; try++) {
		struct holdings before = count();
		for (size_t i = 0; i < rounds; i++)
			once(check, context, i);
		struct holdings now = count_settled(&before);
		if (!has_leaked(&before, &now, bytes, why))
			return;
	}
	check_fail(check, __FILE__, __LINE__, "%zu rounds of %s left %s", rounds, what, why);
}

void leak_expect_none(struct check *check, size_t rounds,
                      void (*once)(struct check *check, void *context, size_t round), void *context, const char *what)
{
	bool has_library = check_ops(check)->kind >= SLUICE_KIND_QUEUE || check_store(check) ||
	                   check_option(check, "url");
	size_t noise = has_library ? rounds * HEAP_NOISE_OF_LIBRARY : HEAP_NOISE + rounds / 4;
	leak_expect_at_most(check, noise, rounds, once, context, what);
}
