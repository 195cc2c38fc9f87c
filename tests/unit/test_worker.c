/*
 * The workers alone, without queue and events: what they are given is a number of batches, each of which a scripted store does
 * or cannot do.
 */
#include <check.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "runtime/worker.h"
#include "support/unit.h"

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t batches;      /* still to be taken */
	size_t inside, done; /* being worked on; through */
	size_t most_inside;
	size_t wanted_inside; /* work() waits until so many are inside */
	size_t created, destroyed;
	size_t create_fails_at; /* the n-th creation */
	bool ill;               /* the states of the first creation of each can do nothing */
	bool stopping;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static char ill_state, well_state;

static bool create_state(struct sluice_stage *stage, struct sluice_worker *worker, struct sluice_error *error)
{
	(void)stage;
	pthread_mutex_lock(&seen.lock);
	size_t n = ++seen.created;
	bool fails = n == seen.create_fails_at;
	worker->state = seen.ill && n == 1 ? &ill_state : &well_state;
	pthread_mutex_unlock(&seen.lock);
	return !fails || sluice_error_set(error, "not now");
}

static void destroy_state(struct sluice_stage *stage, struct sluice_worker *worker)
{
	(void)stage;
	ck_assert_ptr_nonnull(worker->state);
	pthread_mutex_lock(&seen.lock);
	seen.destroyed++;
	pthread_mutex_unlock(&seen.lock);
}

static size_t take(void *context, struct job *job)
{
	(void)context, (void)job;
	pthread_mutex_lock(&seen.lock);
	while (!seen.batches && !seen.stopping)
		pthread_cond_wait(&seen.changed, &seen.lock);
	size_t count = seen.batches ? 1 : 0;
	seen.batches -= count;
	pthread_mutex_unlock(&seen.lock);
	return count;
}

static bool work(void *context, struct job *job, size_t count)
{
	(void)context, (void)count;
	pthread_mutex_lock(&seen.lock);
	seen.inside++;
	if (seen.inside > seen.most_inside)
		seen.most_inside = seen.inside;
	pthread_cond_broadcast(&seen.changed);
	while (seen.most_inside < seen.wanted_inside)
		pthread_cond_wait(&seen.changed, &seen.lock);
	seen.inside--;
	seen.done++;
	pthread_cond_broadcast(&seen.changed);
	pthread_mutex_unlock(&seen.lock);
	return job->pub.state != &ill_state;
}

static struct config config;
static struct instance persist;

static struct workers *start(struct sluice_persist_ops *ops, int64_t count, int64_t jobs)
{
	static struct sluice_stage_ops stage_ops;
	struct sluice_error error = {0};
	stage_ops = (struct sluice_stage_ops){.kind = SLUICE_KIND_PERSIST, .of.persist = ops, .name = "scripted"};
	persist.stage.ops = &stage_ops;
	config.queue = (struct queue_config){.workers = count, .jobs = jobs};
	config.persist.max_batch = 1;
	struct workers *workers = workers_create(
		&(struct workers_setup){.config = &config, .persist = &persist, .take = take, .work = work});
	ck_assert_msg(workers_start(workers, &error), "%s", error.text);
	return workers;
}

static void give(size_t batches)
{
	pthread_mutex_lock(&seen.lock);
	seen.batches += batches;
	size_t until = seen.done + seen.inside + seen.batches;
	pthread_cond_broadcast(&seen.changed);
	while (seen.done < until)
		pthread_cond_wait(&seen.changed, &seen.lock);
	pthread_mutex_unlock(&seen.lock);
}

static void stop(struct workers *workers)
{
	pthread_mutex_lock(&seen.lock);
	seen.stopping = true;
	pthread_cond_broadcast(&seen.changed);
	pthread_mutex_unlock(&seen.lock);
	workers_stop(workers);
	ck_assert_uint_eq(seen.created, seen.destroyed);
	workers_destroy(workers);
}

static struct sluice_persist_ops with_state = {.worker_create = create_state, .worker_destroy = destroy_state};
static struct sluice_persist_ops without_state;

START_TEST(test_every_worker_works_on_its_jobs_at_the_same_time)
{
	seen.wanted_inside = 6;
	struct workers *workers = start(&with_state, 2, 3);
	give(6);
	ck_assert_uint_eq(workers_count(workers), 2);
	ck_assert_uint_eq(seen.created, 6);
	stop(workers);
}
END_TEST

START_TEST(test_a_worker_whose_stage_can_do_nothing_gets_a_new_state)
{
	seen.ill = true;
	struct workers *workers = start(&with_state, 1, 1);
	give(WORKER_PATIENCE);
	give(1); /* by the new state */
	ck_assert_uint_eq(workers_restarts(workers), 1);
	ck_assert_uint_eq(seen.created, 2);
	give(10);
	ck_assert_uint_eq(workers_restarts(workers), 1);
	stop(workers);
}
END_TEST

START_TEST(test_creating_the_state_is_tried_again)
{
	seen.ill = true;
	seen.create_fails_at = 2;
	struct workers *workers = start(&with_state, 1, 1);
	give(WORKER_PATIENCE + 1);
	ck_assert_uint_eq(workers_restarts(workers), 1);
	ck_assert_uint_eq(seen.created, 3);
	seen.destroyed++; /* there was nothing to destroy after the one that failed */
	stop(workers);
}
END_TEST

START_TEST(test_less_patience_would_be_too_little)
{
	seen.ill = true;
	struct workers *workers = start(&with_state, 1, 1);
	give(WORKER_PATIENCE - 1);
	ck_assert_uint_eq(workers_restarts(workers), 0);
	ck_assert_uint_eq(seen.created, 1);
	stop(workers);
}
END_TEST

START_TEST(test_without_a_state_nothing_is_created_again)
{
	struct workers *workers = start(&without_state, 2, 1);
	give(10);
	ck_assert_uint_eq(workers_restarts(workers), 0);
	stop(workers);
}
END_TEST

START_TEST(test_a_worker_that_cannot_start_is_an_error)
{
	struct sluice_error error = {0};
	seen.create_fails_at = 2;
	static struct sluice_stage_ops stage_ops = {
		.kind = SLUICE_KIND_PERSIST, .of.persist = &with_state, .name = "scripted"};
	persist.stage.ops = &stage_ops;
	config.queue = (struct queue_config){.workers = 3, .jobs = 1};
	config.persist.max_batch = 1;
	struct workers *workers = workers_create(
		&(struct workers_setup){.config = &config, .persist = &persist, .take = take, .work = work});
	ck_assert(!workers_start(workers, &error));
	ck_assert_ptr_nonnull(strstr(error.text, "not now"));
	seen.destroyed++;
	stop(workers);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("workers");
	TCase *all = tcase_create("workers");
	tcase_set_timeout(all, 60);
	tcase_add_test(all, test_every_worker_works_on_its_jobs_at_the_same_time);
	tcase_add_test(all, test_a_worker_whose_stage_can_do_nothing_gets_a_new_state);
	tcase_add_test(all, test_creating_the_state_is_tried_again);
	tcase_add_test(all, test_less_patience_would_be_too_little);
	tcase_add_test(all, test_without_a_state_nothing_is_created_again);
	tcase_add_test(all, test_a_worker_that_cannot_start_is_an_error);
	suite_add_tcase(suite, all);
	return suite;
}

UNIT_SUITE(test_worker, suite)
