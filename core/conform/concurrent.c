/*
 * See concurrent.h.
 */
#include "conform/concurrent.h"

#include <pthread.h>

struct member {
	void (*work)(void *context, unsigned number);
	void *context;
	unsigned number;
	pthread_barrier_t *start;
};

static void *run_member(void *member_)
{
	struct member *member = member_;
	(void)pthread_barrier_wait(member->start);
	member->work(member->context, member->number);
	return NULL;
}

void concurrent_run(struct check *check, unsigned count, void (*work)(void *context, unsigned number), void *context)
{
	struct member members[CONCURRENT_MAX];
	pthread_t threads[CONCURRENT_MAX];
	pthread_barrier_t start;
	(void)pthread_barrier_init(&start, NULL, count);
	for (unsigned i = 0; i < count; i++) {
		members[i] = (struct member){work, context, i, &start};
		if (pthread_create(&threads[i], NULL, run_member, &members[i]) != 0)
			check_skip(check, "cannot start a thread");
	}
	for (unsigned i = 0; i < count; i++)
		(void)pthread_join(threads[i], NULL);
	(void)pthread_barrier_destroy(&start);
}
