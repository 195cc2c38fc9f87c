/*
 * Two arms at once: all of a stream in one, a bucket that moves only when it is empty, and what waits for that.
 *
 * A scripted store with two numbers keeps its events until the test lets them go, without a queue: so what is inside an arm is
 * what the test says.
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
#include "runtime/split.h"
#include "support/unit.h"
#include "yaml/option.h"

enum { PATIENCE_S = 20, EVENTS_MAX = 64 };

static struct {
	pthread_mutex_t lock;
	bool closed, retries;
	struct sluice_event *held[EVENTS_MAX]; /* parked in idempotency */
	size_t held_count;
	char log[1024];
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note(char arm, const struct sluice_event *event)
{
	size_t size = strlen(seen.log);
	(void)snprintf(seen.log + size, sizeof(seen.log) - size, "%c%.*s ", arm, (int)event->message_id.size,
	               event->message_id.data);
}

static enum sluice_verdict process(char arm, struct sluice_event *event)
{
	enum sluice_verdict verdict = SLUICE_PASS;
	(void)pthread_mutex_lock(&seen.lock);
	note(arm, event);
	if (seen.closed) {
		seen.held[seen.held_count++] = event;
		verdict = SLUICE_WAIT;
	}
	(void)pthread_mutex_unlock(&seen.lock);
	return verdict;
}

static enum sluice_verdict process_a(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	return process('a', event);
}

static enum sluice_verdict process_b(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	return process('b', event);
}

static void store(struct sluice_stage *stage, struct sluice_batch *batch)
{
	(void)stage;
	for (size_t i = 0; i < batch->count; i++)
		batch->verdicts[i] = SLUICE_PASS;
}

static const struct sluice_persist_ops persist = {.store = store};
static const struct sluice_option no_options[] = {SLUICE_OPTION_END};

static struct bench {
	struct config config;
	struct plugin idempotency, persist;
	union kind_table table;
	struct pipeline *pipeline;
} benches[2];

static struct config *fill(size_t number)
{
	struct bench *bench = &benches[number];
	struct config *config = &bench->config;
	config->events = (struct events_config){.max = 1000, .max_bytes = 1 << 22, .arena = 1024, .pool_count = 8};
	config->persist = (struct persist_config){.max_batch = 1, .max_bytes = 1 << 20};
	bench->persist = (struct plugin){
		.ops = {.kind = SLUICE_KIND_PERSIST, .of.persist = &persist, .name = "p", .options = no_options}};
	bench->table.idempotency.process = number ? process_b : process_a;
	bench->idempotency = (struct plugin){
		.ops = {.kind = SLUICE_KIND_IDEMPOTENCY, .of.any = &bench->table, .name = "i", .options = no_options}};
	(void)snprintf(bench->idempotency.sha256, sizeof(bench->idempotency.sha256), "%zu", number);
	config->stages[SLUICE_KIND_PERSIST] = (struct stage_config){.present = true, .plugin = &bench->persist};
	config->stages[SLUICE_KIND_IDEMPOTENCY] = (struct stage_config){.present = true, .plugin = &bench->idempotency};
	return config;
}

static struct generations *generations(void)
{
	return pipeline_generations(benches[0].pipeline);
}

static struct split *split(void)
{
	return generations_split(generations());
}

static void set_up(void)
{
	struct sluice_error error = {0};
	benches[0].pipeline = pipeline_create(fill(0), &error);
	ck_assert_msg(benches[0].pipeline != NULL, "%s", error.text);
	benches[1].pipeline = pipeline_create_candidate(fill(1), benches[0].pipeline, &error);
	ck_assert_msg(benches[1].pipeline != NULL, "%s", error.text);
	ck_assert(generations_may_split(generations()));
	generations_try(generations(), benches[1].pipeline);
}

static void tear_down(void)
{
	pipeline_destroy(benches[0].pipeline);
}

struct sender {
	sem_t answered;
	enum sluice_verdict verdict;
};

static void on_answer(void *context, const struct event_answer *answer)
{
	struct sender *sender = context;
	sender->verdict = answer->verdict;
	(void)sem_post(&sender->answered);
}

static struct sluice_bytes copy(struct event *event, const char *text)
{
	return text ? sluice_copy(&event->pub, text, strlen(text)) : (struct sluice_bytes){0};
}

static void submit(struct sender *sender, const char *id, const char *stream)
{
	struct event *event = generations_receive(generations());
	ck_assert(generations_admit(generations(), event));
	(void)sem_init(&sender->answered, 0, 0);
	event->pub.request_id = copy(event, "request");
	event->pub.message_id = copy(event, id);
	event->pub.stream = copy(event, stream);
	event->pub.payload = event->pub.body = copy(event, "{}");
	event->answer = on_answer;
	event->answer_context = sender;
	pipeline_submit(event);
}

static enum sluice_verdict verdict_of(struct sender *sender)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	ck_assert_int_eq(sem_timedwait(&sender->answered, &until), 0);
	return sender->verdict;
}

static bool has_answer(struct sender *sender)
{
	int count = 0;
	(void)sem_getvalue(&sender->answered, &count);
	return count > 0;
}

static void set_closed(bool closed)
{
	(void)pthread_mutex_lock(&seen.lock);
	seen.closed = closed;
	(void)pthread_mutex_unlock(&seen.lock);
}

static void let_go(size_t number, enum sluice_verdict verdict)
{
	sluice_resume(seen.held[number], verdict);
}

static void expect_log(const char *text)
{
	(void)pthread_mutex_lock(&seen.lock);
	ck_assert_str_eq(seen.log, text);
	seen.log[0] = '\0';
	(void)pthread_mutex_unlock(&seen.lock);
}

START_TEST(test_a_stream_and_all_copies_of_a_message_are_in_one_arm)
{
	struct sender sender;
	char id[16], stream[16], arms[2][50] = {{0}};
	split_set_share(split(), SPLIT_BUCKETS / 2);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 50; i++) {
			seen.log[0] = '\0';
			(void)snprintf(id, sizeof(id), "m%d", _i ? i : 50 * round + i);
			(void)snprintf(stream, sizeof(stream), "s%d", i);
			submit(&sender, id, _i ? NULL : stream);
			ck_assert_int_eq(verdict_of(&sender), SLUICE_PASS);
			ck_assert(round == 0 || seen.log[0] == arms[0][i]);
			arms[0][i] = seen.log[0];
		}
	ck_assert_ptr_nonnull(memchr(arms[0], 'a', 50));
	ck_assert_ptr_nonnull(memchr(arms[0], 'b', 50));
}
END_TEST

START_TEST(test_a_stream_moves_when_what_it_has_in_flight_is_through_and_the_rest_follows_in_order)
{
	struct sender one, two, three;
	set_closed(true);
	submit(&one, "1", "s");
	split_set_share(split(), SPLIT_BUCKETS);
	set_closed(false);
	submit(&two, "2", "s");
	submit(&three, "3", "s");
	ck_assert(!has_answer(&two) && !has_answer(&three) && !split_is_settled(split()));
	expect_log("a1 ");
	let_go(0, SLUICE_PASS);
	ck_assert_int_eq(verdict_of(&one), SLUICE_PASS);
	ck_assert_int_eq(verdict_of(&two), SLUICE_PASS);
	ck_assert_int_eq(verdict_of(&three), SLUICE_PASS);
	expect_log("b2 b3 ");
}
END_TEST

START_TEST(test_what_waits_behind_a_lost_event_is_rejected_with_it)
{
	struct sender one, two, other;
	set_closed(true);
	submit(&one, "1", "s");
	split_set_share(split(), SPLIT_BUCKETS);
	set_closed(false);
	submit(&two, "2", "s");
	let_go(0, SLUICE_RETRY);
	ck_assert_int_eq(verdict_of(&one), SLUICE_RETRY);
	ck_assert_int_eq(verdict_of(&two), SLUICE_RETRY);
	submit(&other, "3", "s");
	ck_assert_int_eq(verdict_of(&other), SLUICE_PASS);
	expect_log("a1 b3 ");
}
END_TEST

START_TEST(test_whoever_changes_his_mind_lets_go_on_what_waits)
{
	struct sender one, two;
	set_closed(true);
	submit(&one, "1", "s");
	split_set_share(split(), SPLIT_BUCKETS);
	set_closed(false);
	submit(&two, "2", "s");
	ck_assert(!has_answer(&two));
	split_set_share(split(), 0);
	ck_assert_int_eq(verdict_of(&two), SLUICE_PASS);
	let_go(0, SLUICE_PASS);
	ck_assert_int_eq(verdict_of(&one), SLUICE_PASS);
	expect_log("a1 a2 ");
}
END_TEST

START_TEST(test_a_candidate_stays_until_its_last_event_is_through)
{
	struct sender one;
	set_closed(true);
	split_set_share(split(), SPLIT_BUCKETS);
	submit(&one, "1", "s");
	split_set_share(split(), 0);
	ck_assert(!split_is_settled(split()));
	ck_assert(!generations_have_retired(generations()));
	let_go(0, SLUICE_PASS);
	ck_assert_int_eq(verdict_of(&one), SLUICE_PASS);
	const int64_t until_ns = clock_now_ns() + PATIENCE_S * NS_PER_S;
	while (!split_is_settled(split()))
		ck_assert_int_lt(clock_now_ns(), until_ns);
	split_end(split());
	generations_dismiss(generations());
	while (!generations_have_retired(generations()))
		ck_assert_int_lt(clock_now_ns(), until_ns);
	pipeline_retire(generations_take_retired(generations()));
	expect_log("b1 ");
	seen.closed = false;
	submit(&one, "2", "s");
	ck_assert_int_eq(verdict_of(&one), SLUICE_PASS);
	expect_log("a2 ");
}
END_TEST

START_TEST(test_events_are_counted_by_arm)
{
	struct sender sender;
	struct split_counts baseline, candidate;
	split_set_limit(split(), 1);
	submit(&sender, "1", "s");
	ck_assert_int_eq(verdict_of(&sender), SLUICE_PASS);
	split_set_share(split(), SPLIT_BUCKETS);
	submit(&sender, "2", "s");
	ck_assert_int_eq(verdict_of(&sender), SLUICE_PASS);
	split_count(split(), ARM_BASELINE, &baseline);
	split_count(split(), ARM_CANDIDATE, &candidate);
	ck_assert_uint_eq(baseline.events, 1);
	ck_assert_uint_eq(candidate.events, 1);
	ck_assert_uint_eq(candidate.errors, 0);
	ck_assert_uint_eq(candidate.slow, 1);
	struct split_ratio ratio;
	split_get_ratio(split(), &ratio);
	ck_assert_uint_eq(ratio.events, 1);
	ck_assert_uint_eq(ratio.candidate, 1);
	ck_assert_uint_eq(ratio.most_slow, 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *all = suite_create("split");
	TCase *group = tcase_create("split");
	tcase_set_timeout(group, 60);
	tcase_add_checked_fixture(group, set_up, tear_down);
	tcase_add_loop_test(group, test_a_stream_and_all_copies_of_a_message_are_in_one_arm, 0, 2);
	tcase_add_test(group, test_a_stream_moves_when_what_it_has_in_flight_is_through_and_the_rest_follows_in_order);
	tcase_add_test(group, test_what_waits_behind_a_lost_event_is_rejected_with_it);
	tcase_add_test(group, test_whoever_changes_his_mind_lets_go_on_what_waits);
	tcase_add_test(group, test_a_candidate_stays_until_its_last_event_is_through);
	tcase_add_test(group, test_events_are_counted_by_arm);
	suite_add_tcase(all, group);
	return all;
}

UNIT_SUITE(test_split, suite)
