/*
 * See concurrent.h.
 */
#include "conform/concurrent.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

enum {
	GIVES_WAY_IN = 4,     /* calls of the host, on the average */
	STOP_MOST_NS = 60000, /* a thread is stopped */
	STOP_EACH_NS = 30000,
};

/* ThreadSanitizer holds signals back until the next call of the system, and needs none of this. */
#ifdef __SANITIZE_THREAD__
#define HAS_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_THREAD_SANITIZER 1
#endif
#endif
#ifndef HAS_THREAD_SANITIZER
#define HAS_THREAD_SANITIZER 0
#endif

struct member {
	void (*work)(void *context, unsigned number);
	void *context;
	unsigned number;
	pthread_barrier_t *start;
	atomic_bool is_over;
	pthread_t thread;
};

static _Thread_local bool is_member;
static _Thread_local uint64_t dice; /* of a member; a signal may come between two steps of it, which harms no dice */

static uint64_t throw(void)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice;
}

void concurrent_give_way(void)
{
	if (is_member && throw() % GIVES_WAY_IN == 0)
		(void)sched_yield();
}

static void on_stop(int number)
{
	(void)number;
	if (is_member)
		(void)nanosleep(&(struct timespec){.tv_nsec = (long)(throw() % STOP_MOST_NS)}, NULL);
}

static void *run_member(void *member_)
{
	struct member *member = member_;
	dice = 0x9e3779b97f4a7c15u * (member->number + 1);
	is_member = true;
	(void)pthread_barrier_wait(member->start);
	member->work(member->context, member->number);
	is_member = false;
	atomic_store(&member->is_over, true);
	return NULL;
}

/* Stops one or the other until all are through. */
static void stop_now_and_then(struct member *members, unsigned count)
{
	for (unsigned running = count, which = 0; running > 0; which++) {
		struct member *member = &members[which % count];
		if (!atomic_load(&member->is_over))
			(void)pthread_kill(member->thread, SIGURG);
		(void)nanosleep(&(struct timespec){.tv_nsec = STOP_EACH_NS}, NULL);
		running = 0;
		for (unsigned i = 0; i < count; i++)
			running += !atomic_load(&members[i].is_over);
	}
}

static pthread_barrier_t meeting;

void concurrent_meet(void)
{
	(void)pthread_barrier_wait(&meeting);
}

static void run(struct check *check, unsigned count, void (*work)(void *context, unsigned number), void *context,
                bool is_stopped)
{
	struct member members[CONCURRENT_MAX];
	struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESTART}, before;
	pthread_barrier_t start;
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGURG, &action, &before);
	(void)pthread_barrier_init(&start, NULL, count);
	(void)pthread_barrier_init(&meeting, NULL, count);
	for (unsigned i = 0; i < count; i++) {
		members[i] = (struct member){.work = work, .context = context, .number = i, .start = &start};
		if (pthread_create(&members[i].thread, NULL, run_member, &members[i]) != 0)
			check_skip(check, "cannot start a thread");
	}
	if (is_stopped)
		stop_now_and_then(members, count);
	for (unsigned i = 0; i < count; i++)
		(void)pthread_join(members[i].thread, NULL);
	(void)pthread_barrier_destroy(&start);
	(void)pthread_barrier_destroy(&meeting);
	(void)sigaction(SIGURG, &before, NULL);
}

void concurrent_run(struct check *check, unsigned count, void (*work)(void *context, unsigned number), void *context)
{
	run(check, count, work, context, false);
}

void concurrent_collide(struct check *check, unsigned count, void (*work)(void *context, unsigned number),
                        void *context)
{
	run(check, count, work, context, !HAS_THREAD_SANITIZER && !check_option(check, "url"));
}
