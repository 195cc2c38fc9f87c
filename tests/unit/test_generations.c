/*
 * Generations around one queue: which store settles an event that several had, which generation must stay for it, and what
 * health says of one that waits for another. The stores are scripted: each passes, or does what the test says.
 */
#include <check.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "runtime/generation.h"
#include "runtime/pipeline.h"
#include "support/unit.h"
#include "yaml/option.h"

enum { STORES = 3, PATIENCE_S = 20 };

/* What the scripted stores saw and do. Static: Check gives each test a process of its own. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool closed[STORES];  /* store() waits while it is */
	bool retries[STORES]; /* RETRY for everything */
	size_t entered[STORES];
	char log[256]; /* "A stores m1, A settles m1 0, " */
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void note(size_t store, const char *what, const struct sluice_event *event, int verdict)
{
	size_t size = strlen(seen.log);
	(void)snprintf(seen.log + size, sizeof(seen.log) - size, "%c %s %.*s", (char)('A' + store), what,
	               (int)event->message_id.size, event->message_id.data);
	size = strlen(seen.log);
	(void)snprintf(seen.log + size, sizeof(seen.log) - size, verdict < 0 ? ", " : " %s, ",
	               verdict == SLUICE_PASS ? "kept" : "not kept");
}

static void store_batch(size_t store, struct sluice_batch *batch)
{
	(void)pthread_mutex_lock(&seen.lock);
	seen.entered[store]++;
	(void)pthread_cond_broadcast(&seen.changed);
	while (seen.closed[store])
		(void)pthread_cond_wait(&seen.changed, &seen.lock);
	for (size_t i = 0; i < batch->count; i++) {
		struct sluice_event *event = batch->events[i];
		if (!event->local[SLUICE_KIND_PERSIST]) /* else it is another try */
			note(store, "stores", event, -1);
		else
			ck_assert_ptr_eq(event->local[SLUICE_KIND_PERSIST], &seen.closed[store]);
		event->local[SLUICE_KIND_PERSIST] = &seen.closed[store];
		batch->verdicts[i] = seen.retries[store] ? sluice_retry(event, 0, "away") : SLUICE_PASS;
	}
	(void)pthread_mutex_unlock(&seen.lock);
}

static void settle(size_t store, struct sluice_event *event, enum sluice_verdict verdict)
{
	(void)pthread_mutex_lock(&seen.lock);
	ck_assert_ptr_eq(event->local[SLUICE_KIND_PERSIST], &seen.closed[store]);
	note(store, "settles", event, (int)verdict);
	(void)pthread_mutex_unlock(&seen.lock);
}

#define SCRIPTED(letter, number)                                                                                       \
	static void store_##letter(struct sluice_stage *stage, struct sluice_batch *batch)                             \
	{                                                                                                              \
		(void)stage;                                                                                           \
		store_batch(number, batch);                                                                            \
	}                                                                                                              \
	static void settle_##letter(struct sluice_stage *stage, struct sluice_event *event,                            \
	                            enum sluice_verdict verdict)                                                       \
	{                                                                                                              \
		(void)stage;                                                                                           \
		settle(number, event, verdict);                                                                        \
	}                                                                                                              \
	static const struct sluice_persist_ops persist_##letter = {.store = store_##letter};                           \
	static const char *const spans_##letter[] = {"span_of_" #letter, NULL};

SCRIPTED(a, 0)
SCRIPTED(b, 1)
SCRIPTED(c, 2)

#define STORE(letter)                                                                                                  \
	{                                                                                                              \
		.kind = SLUICE_KIND_PERSIST, .of.persist = &persist_##letter, .settle = settle_##letter,               \
		.spans = spans_##letter, .name = #letter                                                               \
	}

static const struct sluice_stage_ops stores[STORES] = {STORE(a), STORE(b), STORE(c)};

/* A pipeline of a real queue and a scripted store. */
static struct bench {
	struct config config;
	struct plugin persist;
	struct pipeline *pipeline;
} benches[STORES];

static struct config *fill(size_t number)
{
	struct bench *bench = &benches[number];
	struct config *config = &bench->config;
	char *const path[] = {TEST_BUILD_DIR "/stages", NULL};
	struct sluice_error error = {0};
	arena_init(&config->arena, 4096, NULL);
	config->events = (struct events_config){.max = 100, .max_bytes = 1 << 20, .arena = 4096, .pool_count = 8};
	config->queue = (struct queue_config){.workers = 1, .jobs = 1};
	const int64_t pause_ns = number == 1 ? 5 * NS_PER_S : 2 * NS_PER_MS; /* time to look at the second meanwhile */
	config->persist = (struct persist_config){
		.max_batch = 1, .max_bytes = 1 << 20, .retry_min.ns = pause_ns, .retry_max.ns = pause_ns};
	bench->persist = (struct plugin){.ops = stores[number]};
	(void)snprintf(bench->persist.sha256, sizeof(bench->persist.sha256), "%zu", number);
	config->stages[SLUICE_KIND_PERSIST] = (struct stage_config){.present = true, .plugin = &bench->persist};
	struct plugin *queue = loader_open(path, SLUICE_KIND_QUEUE, "memory", &error);
	ck_assert_msg(queue != NULL, "%s", error.text);
	void *options = arena_must(&config->arena, queue->ops.config_size);
	ck_assert(option_fill_fallbacks(queue->ops.options, options, &config->arena, &error));
	config->stages[SLUICE_KIND_QUEUE] = (struct stage_config){
		.present = true, .use = "memory", .plugin = queue, .options = options};
	return config;
}

static struct generations *generations(void)
{
	return pipeline_generations(benches[0].pipeline);
}

static void start(void)
{
	struct sluice_error error = {0};
	benches[0].pipeline = pipeline_create(fill(0), &error);
	ck_assert_msg(benches[0].pipeline != NULL, "%s", error.text);
}

static void publish(size_t number)
{
	struct sluice_error error = {0};
	struct pipeline *pipeline = pipeline_create_next(&benches[number].config, benches[number - 1].pipeline, &error);
	ck_assert_msg(pipeline != NULL, "%s", error.text);
	benches[number].pipeline = pipeline;
	generations_publish(generations(), pipeline);
	generations_hand_over(generations());
}

static void wait_a_moment(int64_t until_ns)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
	ck_assert_int_lt(clock_now_ns(), until_ns);
}

static int64_t deadline(void)
{
	return clock_now_ns() + PATIENCE_S * NS_PER_S;
}

static void retire(size_t number)
{
	const int64_t until_ns = deadline();
	struct pipeline *retired;
	while (!(retired = generations_take_retired(pipeline_generations(benches[number + 1].pipeline))))
		wait_a_moment(until_ns);
	ck_assert_ptr_eq(retired, benches[number].pipeline);
	pipeline_retire(retired);
}

static void stop(size_t newest)
{
	pipeline_destroy(benches[newest].pipeline);
	for (size_t i = 0; i <= newest; i++) {
		loader_close(benches[i].config.stages[SLUICE_KIND_QUEUE].plugin);
		arena_finish(&benches[i].config.arena);
	}
}

static void set_closed(size_t store, bool closed)
{
	(void)pthread_mutex_lock(&seen.lock);
	seen.closed[store] = closed;
	(void)pthread_cond_broadcast(&seen.changed);
	(void)pthread_mutex_unlock(&seen.lock);
}

static void set_retries(size_t store, bool retries)
{
	(void)pthread_mutex_lock(&seen.lock);
	seen.retries[store] = retries;
	(void)pthread_mutex_unlock(&seen.lock);
}

static void wait_for_entry(size_t store)
{
	(void)pthread_mutex_lock(&seen.lock);
	while (seen.entered[store] == 0)
		(void)pthread_cond_wait(&seen.changed, &seen.lock);
	(void)pthread_mutex_unlock(&seen.lock);
}

static uint64_t count_retries(size_t number)
{
	struct pipeline_stats stats;
	pipeline_get_stats(benches[number].pipeline, &stats);
	return stats.retries;
}

static void wait_for_retry(size_t number, uint64_t before)
{
	const int64_t until_ns = deadline();
	while (count_retries(number) <= before)
		wait_a_moment(until_ns);
}

/* The sender's end of one event. */
struct sender {
	sem_t answered;
	enum event_outcome outcome;
	const char *span; /* the first of the store */
};

static void on_answer(void *context, const struct event_answer *answer)
{
	struct sender *sender = context;
	sender->outcome = answer->outcome;
	sender->span = answer->spans[SLUICE_KIND_PERSIST] ? answer->spans[SLUICE_KIND_PERSIST][0] : "";
	(void)sem_post(&sender->answered);
}

static struct sluice_bytes copy(struct event *event, const char *text)
{
	return sluice_copy(&event->pub, text, strlen(text));
}

static void submit(size_t number, struct sender *sender, const char *id)
{
	struct event *event = pipeline_receive(benches[number].pipeline);
	ck_assert(pipeline_admit(event));
	(void)sem_init(&sender->answered, 0, 0);
	event->pub.request_id = copy(event, "request");
	event->pub.message_id = copy(event, id);
	event->pub.stream = copy(event, "stream");
	event->pub.payload = event->pub.body = copy(event, "{}");
	event->pub.deadline_ns = deadline();
	event->answer = on_answer;
	event->answer_context = sender;
	pipeline_submit(event);
}

static void expect_accepted(struct sender *sender, const char *span)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	ck_assert_int_eq(sem_timedwait(&sender->answered, &until), 0);
	ck_assert_int_eq(sender->outcome, OUTCOME_ACCEPTED);
	ck_assert_str_eq(sender->span, span);
}

START_TEST(test_the_store_that_had_an_event_settles_it_whosever_event_it_is)
{
	struct sender first, second;
	start();
	set_closed(0, true);
	submit(0, &first, "m1");
	wait_for_entry(0);
	submit(0, &second, "m2");
	(void)fill(1);
	publish(1);
	set_closed(0, false);
	expect_accepted(&first, "span_of_a");
	expect_accepted(&second, "span_of_b");
	retire(0);
	ck_assert_str_eq(seen.log, "A stores m1, A settles m1 kept, B stores m2, B settles m2 kept, ");
	stop(1);
}
END_TEST

START_TEST(test_a_store_whose_workers_are_dismissed_is_told_that_an_event_comes_no_more)
{
	struct sender sender;
	start();
	set_closed(0, true);
	set_retries(0, true);
	submit(0, &sender, "m");
	wait_for_entry(0);
	(void)fill(1);
	publish(1);
	set_closed(0, false);
	expect_accepted(&sender, "span_of_b");
	retire(0);
	ck_assert_str_eq(seen.log, "A stores m, A settles m not kept, B stores m, B settles m kept, ");
	stop(1);
}
END_TEST

/* The event is of the first generation, so the second has none of its own. */
START_TEST(test_a_generation_stays_while_its_store_knows_an_event_that_waits_for_another_try)
{
	struct sender sender;
	start();
	set_retries(0, true);
	set_retries(1, true);
	submit(0, &sender, "m");
	wait_for_retry(0, 0);
	set_closed(1, true);
	(void)fill(1);
	publish(1);
	wait_for_entry(1); /* the first has had its last try */
	const uint64_t before = count_retries(1);
	set_closed(1, false);
	wait_for_retry(1, before);
	set_closed(2, true);
	(void)fill(2);
	publish(2);
	ck_assert(!generations_have_retired(pipeline_generations(benches[2].pipeline)));
	wait_for_entry(2);
	set_closed(2, false);
	expect_accepted(&sender, "span_of_c");
	ck_assert_str_eq(seen.log, "A stores m, A settles m not kept, B stores m, B settles m not kept, "
	                           "C stores m, C settles m kept, ");
	stop(2);
}
END_TEST

static char unhealthy[256];

static void take_reason(struct sluice_observer *observer, const char *reason)
{
	(void)observer;
	if (!unhealthy[0])
		(void)snprintf(unhealthy, sizeof(unhealthy), "%s", reason);
}

static void take_gauge(struct sluice_observer *observer, const char *name, const char *label, const char *label_value,
                       double value, const char *help)
{
	(void)observer, (void)name, (void)label, (void)label_value, (void)value, (void)help;
}

static const char *health(size_t number)
{
	struct sluice_observer observer = {.gauge = take_gauge, .unhealthy = take_reason};
	unhealthy[0] = '\0';
	pipeline_observe(benches[number].pipeline, &observer);
	return unhealthy;
}

START_TEST(test_health_says_when_an_old_queue_holds_up_the_new_workers)
{
	struct sender old, new;
	start();
	set_closed(0, true);
	submit(0, &old, "m1");
	wait_for_entry(0);
	struct config *config = fill(1);
	const struct sluice_option *options = config->stages[SLUICE_KIND_QUEUE].plugin->ops.options;
	struct sluice_error error = {0};
	ck_assert_msg(
		option_set(options, config->stages[SLUICE_KIND_QUEUE].options, "capacity", "7", &config->arena, &error),
		"%s", error.text);
	publish(1);
	submit(1, &new, "m2");
	ck_assert_str_eq(health(1), "");
	const int64_t until_ns = deadline();
	while (!health(1)[0])
		wait_a_moment(until_ns);
	ck_assert_str_eq(
		unhealthy,
		"workers wait for the events of an earlier generation, which has another queue: 1 are not stored");
	set_closed(0, false);
	expect_accepted(&old, "span_of_a");
	retire(0);
	ck_assert_str_eq(health(1), "");
	expect_accepted(&new, "span_of_b");
	stop(1);
}
END_TEST

static Suite *suite(void)
{
	Suite *all = suite_create("generations");
	TCase *group = tcase_create("generations");
	tcase_set_timeout(group, 60);
	tcase_add_test(group, test_the_store_that_had_an_event_settles_it_whosever_event_it_is);
	tcase_add_test(group, test_a_store_whose_workers_are_dismissed_is_told_that_an_event_comes_no_more);
	tcase_add_test(group, test_a_generation_stays_while_its_store_knows_an_event_that_waits_for_another_try);
	tcase_add_test(group, test_health_says_when_an_old_queue_holds_up_the_new_workers);
	suite_add_tcase(all, group);
	return all;
}

UNIT_SUITE(test_generations, suite)
