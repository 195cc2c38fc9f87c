/*
 * Several events of one request: what the sender is answered, and in which order they are stored.
 *
 * The scripted parse stage makes an event of each word of a body: "id@stream", or an id alone. What begins with "bad" it
 * refuses, what begins with "short" is to be sent again. The scripted persist stage does with an event what its id says:
 *     "fail…"   FAIL        "never…"  RETRY always
 *     "dup…"    DONE        "slow…"   PASS, when the gate is open
 */
#include <check.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "runtime/pipeline.h"
#include "support/unit.h"
#include "yaml/option.h"

enum { STORED_MAX = 4096, MANY = 1000 };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t gate;
	bool gate_closed;
	size_t at_the_gate;
	char stored[STORED_MAX][32];
	size_t stored_count;
	size_t settled_auth, settled_parse;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .gate = PTHREAD_COND_INITIALIZER};

static bool starts_with(struct sluice_bytes bytes, const char *text)
{
	return bytes.size >= strlen(text) && memcmp(bytes.data, text, strlen(text)) == 0;
}

static enum sluice_verdict store(struct sluice_event *event)
{
	struct sluice_bytes id = event->message_id;
	if (starts_with(id, "fail"))
		return sluice_fail(event, "a constraint");
	if (starts_with(id, "dup"))
		return SLUICE_DONE;
	if (starts_with(id, "never"))
		return sluice_retry(event, 0, "away");
	while (starts_with(id, "slow") && seen.gate_closed) {
		seen.at_the_gate++;
		pthread_cond_wait(&seen.gate, &seen.lock);
		seen.at_the_gate--;
	}
	snprintf(seen.stored[seen.stored_count++], sizeof(seen.stored[0]), "%.*s", (int)id.size, id.data);
	return SLUICE_PASS;
}

static void store_all(struct sluice_stage *stage, struct sluice_batch *batch)
{
	(void)stage;
	pthread_mutex_lock(&seen.lock);
	for (size_t i = 0; i < batch->count; i++) {
		bool held = false;
		for (size_t k = 0; k < i; k++)
			held |= batch->verdicts[k] == SLUICE_RETRY && batch->events[i]->stream.data &&
			        sluice_bytes_equal(batch->events[i]->stream, batch->events[k]->stream);
		batch->verdicts[i] = held ? sluice_retry(batch->events[i], 0, "behind another")
		                          : store(batch->events[i]);
	}
	pthread_mutex_unlock(&seen.lock);
}

static enum sluice_verdict authenticate(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	event->credential = (struct sluice_bytes){"key-1", 5};
	return SLUICE_PASS;
}

static enum sluice_verdict split(struct sluice_event *event)
{
	const struct sluice_parts *parts = event->host->extension(SLUICE_PARTS);
	struct sluice_bytes *words = sluice_alloc(event, (event->body.size + 1) * sizeof(*words));
	size_t count = 0;
	if (!words)
		return sluice_retry(event, 0, "no memory");
	for (const char *at = event->body.data; *at; at += *at == ' ') {
		size_t size = strcspn(at, " ");
		words[count++] = (struct sluice_bytes){at, size};
		at += size;
	}
	return parts->split(event, words, count);
}

static enum sluice_verdict parse(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	struct sluice_bytes word = event->payload;
	if (word.data == event->body.data && word.size == event->body.size)
		return split(event);
	ck_assert(starts_with(event->credential, "key-1"));
	if (starts_with(word, "bad"))
		return sluice_reject(event, 400, "a bad word");
	if (starts_with(word, "short"))
		return sluice_retry(event, 0, "no memory");
	const char *at = memchr(word.data, '@', word.size);
	event->message_id = (struct sluice_bytes){word.data, at ? (size_t)(at - word.data) : word.size};
	if (at)
		event->stream = (struct sluice_bytes){at + 1, word.size - event->message_id.size - 1};
	return SLUICE_PASS;
}

static void settle_auth(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	(void)stage, (void)event, (void)verdict;
	pthread_mutex_lock(&seen.lock);
	seen.settled_auth++;
	pthread_mutex_unlock(&seen.lock);
}

static void settle_parse(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	(void)stage, (void)event, (void)verdict;
	pthread_mutex_lock(&seen.lock);
	seen.settled_parse++;
	pthread_mutex_unlock(&seen.lock);
}

static struct config config;
static struct plugin plugins[KIND_COUNT];
static struct pipeline *pipeline;
static char *path[] = {TEST_BUILD_DIR "/stages", NULL};

static void add_stage(struct sluice_stage_ops ops)
{
	plugins[ops.kind].ops = ops;
	config.stages[ops.kind] = (struct stage_config){.present = true, .plugin = &plugins[ops.kind]};
}

static void add_real(enum sluice_kind kind, const char *use)
{
	struct sluice_error error = {0};
	struct plugin *plugin = loader_open(path, kind, use, &error);
	ck_assert_msg(plugin, "%s", error.text);
	void *options = arena_must(&config.arena, plugin->ops.config_size);
	ck_assert(option_fill_fallbacks(plugin->ops.options, options, &config.arena, &error));
	config.stages[kind] = (struct stage_config){.present = true, .use = use, .plugin = plugin, .options = options};
}

static void start(size_t places, bool has_queue)
{
	static const struct sluice_auth_ops auth = {.process = authenticate};
	static const struct sluice_parse_ops parse_ops = {.process = parse};
	static const struct sluice_persist_ops persist = {.store = store_all};
	struct sluice_error error = {0};
	arena_init(&config.arena, 4096, NULL);
	config.events = (struct events_config){
		.max = (int64_t)places, .max_bytes = 64 << 20, .arena = 4096, .pool_count = 16};
	config.queue = (struct queue_config){.workers = 8, .jobs = 1};
	config.persist = (struct persist_config){
		.max_batch = 256, .max_bytes = 1 << 20, .retry_min.ns = NS_PER_MS, .retry_max.ns = 5 * NS_PER_MS};
	add_stage((struct sluice_stage_ops){
		.kind = SLUICE_KIND_AUTH, .of.auth = &auth, .name = "scripted", .settle = settle_auth});
	add_stage((struct sluice_stage_ops){
		.kind = SLUICE_KIND_PARSE, .of.parse = &parse_ops, .name = "scripted", .settle = settle_parse});
	add_stage((struct sluice_stage_ops){.kind = SLUICE_KIND_PERSIST, .of.persist = &persist, .name = "scripted"});
	add_real(SLUICE_KIND_IDEMPOTENCY, "memory");
	if (has_queue)
		add_real(SLUICE_KIND_QUEUE, "memory");
	pipeline = pipeline_create(&config, &error);
	ck_assert_msg(pipeline, "%s", error.text);
}

static void stop(void)
{
	struct pipeline_stats stats;
	ck_assert_uint_eq(pipeline_drain(pipeline, clock_now_ns() + 10 * NS_PER_S), 0);
	pipeline_get_stats(pipeline, &stats);
	ck_assert_uint_eq(stats.in_flight, 0);
	ck_assert_uint_eq(stats.receiving, 0);
	ck_assert_uint_eq(stats.in_flight_bytes, 0);
	pipeline_destroy(pipeline);
	for (int kind = 0; kind < KIND_COUNT; kind++)
		if (config.stages[kind].use)
			loader_close(config.stages[kind].plugin);
	arena_finish(&config.arena);
}

/* What a sender is told, as "status outcome: part outcomes; detail". */
struct sender {
	sem_t answered;
	int answers;
	char text[4 * MANY];
};

static void on_answer(void *context, const struct event_answer *answer)
{
	struct sender *sender = context;
	sender->answers++;
	size_t used = (size_t)snprintf(sender->text, sizeof(sender->text), "%d %s:", answer->status,
	                               event_outcome_names[answer->outcome]);
	for (size_t i = 0; i < answer->part_count && answer->part_count < MANY; i++)
		used += (size_t)snprintf(sender->text + used, sizeof(sender->text) - used, " %s",
		                         event_outcome_names[answer->parts[i].outcome]);
	(void)snprintf(sender->text + used, sizeof(sender->text) - used, "%s%s", answer->detail[0] ? "; " : "",
	               answer->detail);
	sem_post(&sender->answered);
}

static void submit(struct sender *sender, const char *body, int64_t deadline_ns)
{
	struct event *event = pipeline_receive(pipeline);
	ck_assert(pipeline_admit(event));
	memset(sender, 0, sizeof(*sender));
	sem_init(&sender->answered, 0, 0);
	event->pub.request_id = sluice_copy(&event->pub, "request", 7);
	event->pub.body = sluice_copy(&event->pub, body, strlen(body));
	event->pub.received_at_ns = clock_wall_ns();
	event->pub.deadline_ns = clock_now_ns() + deadline_ns;
	event->answer = on_answer;
	event->answer_context = sender;
	pipeline_submit(event);
}

static const char *answer_of(struct sender *sender)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	ck_assert_int_eq(sem_timedwait(&sender->answered, &until), 0);
	ck_assert_int_eq(sender->answers, 1);
	return sender->text;
}

static void expect(const char *body, const char *answer)
{
	struct sender sender;
	submit(&sender, body, 500 * NS_PER_MS);
	ck_assert_str_eq(answer_of(&sender), answer);
}

static size_t position_of(const char *id)
{
	pthread_mutex_lock(&seen.lock);
	size_t i = 0;
	while (i < seen.stored_count && strcmp(seen.stored[i], id) != 0)
		i++;
	bool found = i < seen.stored_count;
	pthread_mutex_unlock(&seen.lock);
	return found ? i : SIZE_MAX;
}

static bool is_stored(const char *id)
{
	return position_of(id) != SIZE_MAX;
}

static void close_gate(bool closed)
{
	pthread_mutex_lock(&seen.lock);
	seen.gate_closed = closed;
	pthread_cond_broadcast(&seen.gate);
	pthread_mutex_unlock(&seen.lock);
}

static void wait_until_stored(const char *id)
{
	int64_t until_ns = clock_now_ns() + 10 * NS_PER_S;
	while (!is_stored(id))
		ck_assert_msg(clock_now_ns() < until_ns, "%s is not stored", id);
}

static void wait_at_the_gate(size_t count)
{
	int64_t until_ns = clock_now_ns() + 10 * NS_PER_S;
	for (size_t there = SIZE_MAX; there != count;) {
		pthread_mutex_lock(&seen.lock);
		there = seen.at_the_gate;
		pthread_mutex_unlock(&seen.lock);
		ck_assert(clock_now_ns() < until_ns);
	}
}

START_TEST(test_a_request_is_a_success_when_all_its_events_are_stored)
{
	start(100, _i);
	expect("a b@s c@s d@r", "202 accepted: accepted accepted accepted accepted");
	ck_assert_uint_eq(seen.stored_count, 4);
	ck_assert(position_of("b") < position_of("c"));
	expect("a b@s c@s d@r", "200 duplicate: duplicate duplicate duplicate duplicate");
	expect("a e", "202 accepted: duplicate accepted");
	expect("alone ", "202 accepted: accepted");
	expect("twice twice", "202 accepted: accepted duplicate");
	stop();
	ck_assert_uint_eq(seen.settled_auth, 5);
	ck_assert_uint_eq(seen.settled_parse, 5 + 4 + 4 + 2 + 1 + 2);
}
END_TEST

START_TEST(test_one_that_fails_does_so_alone_and_the_whole_is_sent_again)
{
	start(100, _i);
	expect("a@s fail@s b@s",
	       "500 failed: accepted failed accepted; 1 of 3 events not stored; event 2: a constraint");
	expect("bad c bad", "400 rejected: rejected accepted rejected; 2 of 3 events not stored; event 1: a bad word");
	expect("bad1 fail2 d", "500 failed: rejected failed accepted; 2 of 3 events not stored; event 2: a constraint");
	expect("a@s b@s c d", "200 duplicate: duplicate duplicate duplicate duplicate");
	expect("a@r e",
	       "422 conflict: conflict accepted; 1 of 2 events not stored; event 1: an event with this message id "
	       "and different content is already stored");
	stop();
}
END_TEST

START_TEST(test_nothing_of_its_stream_is_stored_behind_one_that_is_to_be_sent_again)
{
	start(100, true);
	expect("a@s never@s b@s c@r d",
	       "503 failed: accepted failed failed accepted accepted; 2 of 5 events not stored; "
	       "event 2: away");
	ck_assert(is_stored("a") && is_stored("c") && is_stored("d") && !is_stored("b"));
	expect("e short f", "503 failed: accepted failed failed; 2 of 3 events not stored; event 2: no memory");
	ck_assert(is_stored("e") && !is_stored("f"));
	stop();
}
END_TEST

/* The duplicate waits for an event in flight. What is behind it in its stream waits with it, and nothing else does. */
START_TEST(test_a_part_waits_for_the_one_before_it_in_its_stream)
{
	start(100, true);
	struct sender first, second;
	close_gate(true);
	submit(&first, "slow ", 5 * NS_PER_S);
	wait_at_the_gate(1);
	submit(&second, "slow@s a@s b@s c@r d", 5 * NS_PER_S);
	wait_until_stored("c");
	wait_until_stored("d");
	ck_assert(!is_stored("a") && !is_stored("b"));
	close_gate(false);
	ck_assert_str_eq(answer_of(&first), "202 accepted: accepted");
	ck_assert_str_eq(
		answer_of(&second),
		"422 conflict: conflict accepted accepted accepted accepted; 1 of 5 events not stored; event 1: an "
		"event with this message id and different content is already stored");
	ck_assert(position_of("slow") < position_of("a") && position_of("a") < position_of("b"));
	stop();
}
END_TEST

static uint64_t retries(void)
{
	struct pipeline_stats stats;
	pipeline_get_stats(pipeline, &stats);
	return stats.retries;
}

/* Its sender has to send all again, so it must not be that one behind it is stored after it was rejected. */
START_TEST(test_none_is_rejected_while_one_of_its_request_is_undecided)
{
	start(100, true);
	struct sender first, second;
	close_gate(true);
	submit(&first, "slow ", 5 * NS_PER_S);
	wait_at_the_gate(1);
	int64_t deadline_ns = clock_now_ns() + 50 * NS_PER_MS, until_ns = clock_now_ns() + 10 * NS_PER_S;
	submit(&second, "never@s slow@s a@s", 50 * NS_PER_MS);
	while (clock_now_ns() <= deadline_ns)
		ck_assert(clock_now_ns() < until_ns);
	for (uint64_t before = retries(); retries() < before + 3;)
		ck_assert_msg(clock_now_ns() < until_ns, "it is not tried again");
	ck_assert_int_eq(second.answers, 0);
	close_gate(false);
	ck_assert_str_eq(answer_of(&first), "202 accepted: accepted");
	ck_assert_str_eq(answer_of(&second),
	                 "503 failed: failed conflict failed; 3 of 3 events not stored; event 1: away");
	ck_assert(!is_stored("a"));
	stop();
}
END_TEST

START_TEST(test_a_request_takes_a_place_for_each_event)
{
	start(4, true);
	struct sender first, second;
	close_gate(true);
	submit(&first, "slow1 ", 5 * NS_PER_S); /* two places */
	wait_at_the_gate(1);
	submit(&second, "a b", 5 * NS_PER_S);
	ck_assert_str_eq(answer_of(&second), "503 failed:; the bound on events in flight is reached");
	expect("a b c d e", "413 rejected:; the body: 5 events; events.max lets in 4");
	close_gate(false);
	ck_assert_str_eq(answer_of(&first), "202 accepted: accepted");
	stop();
	ck_assert_uint_eq(seen.stored_count, 1);
}
END_TEST

START_TEST(test_a_thousand_events_of_few_streams_stay_in_order)
{
	static char body[MANY * 12];
	size_t used = 0;
	start(2 * MANY, _i);
	for (int i = 0; i < MANY; i++)
		used += (size_t)snprintf(body + used, sizeof(body) - used, "%s%d@s%d", i ? " " : "", i, i % 3);
	expect(body, "202 accepted:");
	stop();
	int last[3] = {-1, -1, -1};
	ck_assert_uint_eq(seen.stored_count, MANY);
	for (size_t i = 0; i < MANY; i++) {
		int number = atoi(seen.stored[i]);
		ck_assert_int_gt(number, last[number % 3]);
		last[number % 3] = number;
	}
}
END_TEST

static void *destroy(void *context)
{
	pipeline_destroy(context);
	return NULL;
}

START_TEST(test_destroy_answers_a_request_whose_events_wait)
{
	start(100, true);
	struct sender first, second;
	close_gate(true);
	submit(&first, "slow@s ", 5 * NS_PER_S);
	wait_at_the_gate(1);
	submit(&second, "a@s b@s slow@s c@s", 5 * NS_PER_S);
	ck_assert_uint_gt(pipeline_drain(pipeline, clock_now_ns()), 0);
	pthread_t opener;
	ck_assert_int_eq(pthread_create(&opener, NULL, destroy, pipeline), 0);
	close_gate(false);
	(void)answer_of(&first);
	(void)answer_of(&second);
	ck_assert_int_eq(pthread_join(opener, NULL), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("events of one request");
	TCase *all = tcase_create("parts");
	tcase_set_timeout(all, 60);
	tcase_add_loop_test(all, test_a_request_is_a_success_when_all_its_events_are_stored, 0, 2);
	tcase_add_loop_test(all, test_one_that_fails_does_so_alone_and_the_whole_is_sent_again, 0, 2);
	tcase_add_test(all, test_nothing_of_its_stream_is_stored_behind_one_that_is_to_be_sent_again);
	tcase_add_test(all, test_a_part_waits_for_the_one_before_it_in_its_stream);
	tcase_add_test(all, test_none_is_rejected_while_one_of_its_request_is_undecided);
	tcase_add_test(all, test_a_request_takes_a_place_for_each_event);
	tcase_add_loop_test(all, test_a_thousand_events_of_few_streams_stay_in_order, 0, 2);
	tcase_add_test(all, test_destroy_answers_a_request_whose_events_wait);
	suite_add_tcase(suite, all);
	return suite;
}

UNIT_SUITE(test_parts, suite)
