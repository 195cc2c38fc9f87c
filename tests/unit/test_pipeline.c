/*
 * The life of an event in the runtime: scripted stages around the real queue and idempotency stages.
 *
 * A scripted persist stage stores into an array, and does with each event what its message id says:
 *     "fail…"    FAIL              "once…"   RETRY at the first try, then PASS
 *     "never…"   RETRY always      "dup…"    DONE
 *     "long…"    RETRY, to be tried again in 292 years
 */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "runtime/generation.h"
#include "runtime/pipeline.h"
#include "support/unit.h"
#include "yaml/option.h"

enum { STORED_MAX = 4096, BATCHES_MAX = 1024 };

/* What the scripted stages saw. Static: Check gives each test a process of its own. */
static struct {
	pthread_mutex_t lock;
	char stored[STORED_MAX][64];
	size_t stored_count;
	size_t batches[BATCHES_MAX];
	size_t batch_count;
	char settled[64];
	size_t buried;
	bool gate_closed; /* persist waits while it is */
	pthread_cond_t gate;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .gate = PTHREAD_COND_INITIALIZER};

static void close_gate(bool closed)
{
	pthread_mutex_lock(&seen.lock);
	seen.gate_closed = closed;
	pthread_cond_broadcast(&seen.gate);
	pthread_mutex_unlock(&seen.lock);
}

static bool starts_with(const struct sluice_event *event, const char *text)
{
	return event->message_id.size >= strlen(text) && memcmp(event->message_id.data, text, strlen(text)) == 0;
}

static enum sluice_verdict store(struct sluice_event *event)
{
	if (starts_with(event, "fail"))
		return sluice_fail(event, "a constraint");
	if (starts_with(event, "dup"))
		return SLUICE_DONE;
	if (starts_with(event, "long"))
		return sluice_retry(event, INT64_MAX, "away for long");
	if (starts_with(event, "never") || (starts_with(event, "once") && event->attempt <= 1))
		return sluice_retry(event, 0, "away");
	ck_assert_uint_lt(seen.stored_count, STORED_MAX);
	snprintf(seen.stored[seen.stored_count++], 64, "%.*s", (int)event->message_id.size, event->message_id.data);
	return SLUICE_PASS;
}

/* As a store does it: after a RETRY nothing of that stream in the batch is stored. */
static void persist_batch(struct sluice_stage *stage, struct sluice_batch *batch)
{
	(void)stage;
	pthread_mutex_lock(&seen.lock);
	while (seen.gate_closed)
		pthread_cond_wait(&seen.gate, &seen.lock);
	seen.batches[seen.batch_count++ % BATCHES_MAX] = batch->count;
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

static void note_settled(char letter)
{
	pthread_mutex_lock(&seen.lock);
	size_t size = strlen(seen.settled);
	if (size + 1 < sizeof(seen.settled))
		seen.settled[size] = letter;
	pthread_mutex_unlock(&seen.lock);
}

static enum sluice_verdict pass(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	(void)event;
	return SLUICE_PASS;
}

static enum sluice_verdict refuse(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	return sluice_reject(event, 401, "no");
}

static enum sluice_verdict nonsense(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	(void)event;
	return (enum sluice_verdict)77;
}

static enum sluice_verdict resume_before_return(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	sluice_resume(event, SLUICE_PASS);
	return SLUICE_WAIT;
}

static void *resume_later(void *event)
{
	sluice_resume(event, SLUICE_DONE);
	return NULL;
}

static enum sluice_verdict resume_from_a_thread(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, resume_later, event), 0);
	pthread_detach(thread);
	return SLUICE_WAIT;
}

static void settle_auth(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	(void)stage;
	(void)event;
	(void)verdict;
	note_settled('a');
}

static void settle_parse(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	(void)stage;
	(void)event;
	(void)verdict;
	note_settled('p');
}

static bool dead_letter(struct sluice_stage *stage, struct sluice_event *event, const char *reason,
                        struct sluice_error *error)
{
	(void)stage;
	(void)event;
	(void)error;
	ck_assert_str_eq(reason, "a constraint");
	pthread_mutex_lock(&seen.lock);
	seen.buried++;
	pthread_mutex_unlock(&seen.lock);
	return true;
}

/* A pipeline under test: its config is filled by hand. */
struct bench {
	struct config config;
	struct plugin plugins[KIND_COUNT];
	struct pipeline *pipeline;
	char *path[4];
};

static void add_stage(struct bench *bench, struct sluice_stage_ops ops)
{
	bench->plugins[ops.kind].ops = ops;
	bench->config.stages[ops.kind] = (struct stage_config){.present = true, .plugin = &bench->plugins[ops.kind]};
}

static struct bench *new_bench(void)
{
	static struct bench bench;
	bench.config.events = (struct events_config){
		.max = 2000, .max_bytes = 64 << 20, .arena = 4096, .pool_count = 512};
	bench.config.queue = (struct queue_config){.workers = 8, .jobs = 1};
	bench.config.persist = (struct persist_config){
		.max_batch = 256, .max_bytes = 1 << 20, .retry_min.ns = NS_PER_MS, .retry_max.ns = 5 * NS_PER_MS};
	bench.path[0] = TEST_BUILD_DIR "/stages";
	static const struct sluice_persist_ops persist = {.store = persist_batch, .dead_letter = dead_letter};
	add_stage(&bench,
	          (struct sluice_stage_ops){.kind = SLUICE_KIND_PERSIST, .of.persist = &persist, .name = "scripted"});
	return &bench;
}

/* A stage of kind auth, parse or idempotency that has process() alone, which stands first in the tables of all three. */
static struct sluice_stage_ops simple(enum sluice_kind kind, process_fn process)
{
	static union kind_table tables[KIND_COUNT];
	tables[kind].auth.process = process;
	return (struct sluice_stage_ops){.kind = kind, .of.any = &tables[kind], .name = "scripted"};
}

static void add_real(struct bench *bench, enum sluice_kind kind, const char *use)
{
	struct sluice_error error = {0};
	struct plugin *plugin = loader_open(bench->path, kind, use, &error);
	ck_assert_msg(plugin, "%s", error.text);
	arena_init(&bench->config.arena, 4096, NULL);
	void *options = arena_must(&bench->config.arena, plugin->ops.config_size);
	ck_assert(option_fill_fallbacks(plugin->ops.options, options, &bench->config.arena, &error));
	bench->config.stages[kind] = (struct stage_config){
		.present = true, .use = use, .plugin = plugin, .options = options};
}

static void start(struct bench *bench)
{
	struct sluice_error error = {0};
	bench->pipeline = pipeline_create(&bench->config, &error);
	ck_assert_msg(bench->pipeline, "%s", error.text);
}

/* The sender's end of one event. */
struct sender {
	sem_t answered;
	int answers;
	struct event_answer last;
	struct event_times times;
	char detail[200];
	pthread_t answered_on;
};

static void on_answer(void *context, const struct event_answer *answer)
{
	struct sender *sender = context;
	sender->answers++;
	sender->last = *answer;
	sender->times = *answer->times;
	sender->answered_on = pthread_self();
	snprintf(sender->detail, sizeof(sender->detail), "%s", answer->detail);
	sem_post(&sender->answered);
}

static struct sluice_bytes copy(struct event *event, const char *text)
{
	return text ? sluice_copy(&event->pub, text, strlen(text)) : (struct sluice_bytes){0};
}

static void submit_event(struct event *event, struct sender *sender, const char *id, const char *stream,
                         const char *payload)
{
	memset(sender, 0, sizeof(*sender));
	sem_init(&sender->answered, 0, 0);
	event->pub.request_id = copy(event, "request");
	event->pub.message_id = copy(event, id);
	event->pub.stream = copy(event, stream);
	event->pub.payload = event->pub.body = copy(event, payload);
	event->pub.received_at_ns = clock_wall_ns();
	event->pub.deadline_ns = clock_now_ns() + 500 * NS_PER_MS;
	event->answer = on_answer;
	event->answer_context = sender;
	pipeline_submit(event);
}

static void submit(struct bench *bench, struct sender *sender, const char *id, const char *stream, const char *payload)
{
	struct event *event = pipeline_receive(bench->pipeline);
	ck_assert(pipeline_admit(event));
	submit_event(event, sender, id, stream, payload);
}

static enum event_outcome outcome(struct sender *sender)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	ck_assert_int_eq(sem_timedwait(&sender->answered, &until), 0);
	ck_assert_int_eq(sender->answers, 1);
	return sender->last.outcome;
}

static void stop(struct bench *bench)
{
	ck_assert_uint_eq(pipeline_drain(bench->pipeline, clock_now_ns() + 10 * NS_PER_S), 0);
	pipeline_destroy(bench->pipeline);
	for (int kind = 0; kind < KIND_COUNT; kind++)
		if (bench->config.stages[kind].use)
			loader_close(bench->config.stages[kind].plugin);
	arena_finish(&bench->config.arena);
}

START_TEST(test_without_a_queue_the_answer_comes_on_the_senders_thread)
{
	struct bench *bench = new_bench();
	add_stage(bench, simple(SLUICE_KIND_AUTH, pass));
	add_stage(bench, simple(SLUICE_KIND_PARSE, pass));
	start(bench);
	struct sender sender;
	submit(bench, &sender, "m1", NULL, "{}");
	ck_assert_int_eq(outcome(&sender), OUTCOME_ACCEPTED);
	ck_assert_int_eq(sender.last.status, 202);
	ck_assert(pthread_equal(sender.answered_on, pthread_self()));
	ck_assert_uint_eq(seen.stored_count, 1);
	stop(bench);
}
END_TEST

enum { LARGE = 64 * 1024 };

static void submit_body(struct bench *bench, struct sender *sender, size_t size)
{
	static char body[LARGE + 1];
	memset(body, 'x', size);
	body[size] = '\0';
	submit(bench, sender, "m", NULL, body);
}

/* Those who are not large pass. */
static enum sluice_verdict hold_large(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	pthread_mutex_lock(&seen.lock);
	while (event->body.size >= LARGE && seen.gate_closed)
		pthread_cond_wait(&seen.gate, &seen.lock);
	pthread_mutex_unlock(&seen.lock);
	return event->body.size >= LARGE ? SLUICE_PASS : sluice_reject(event, 400, "small");
}

START_TEST(test_only_a_large_body_leaves_the_senders_thread)
{
	struct bench *bench = new_bench();
	add_stage(bench, simple(SLUICE_KIND_PARSE, pass));
	start(bench);
	struct sender small, large;
	submit_body(bench, &small, LARGE - 1);
	submit_body(bench, &large, LARGE);
	ck_assert_int_eq(outcome(&small), OUTCOME_ACCEPTED);
	ck_assert_int_eq(outcome(&large), OUTCOME_ACCEPTED);
	ck_assert(pthread_equal(small.answered_on, pthread_self()));
	ck_assert(!pthread_equal(large.answered_on, pthread_self()));
	ck_assert_int_eq(small.times.stages[SLUICE_KIND_PARSE].wait_ns, 0);
	ck_assert_int_gt(large.times.stages[SLUICE_KIND_PARSE].wait_ns, 0);
	stop(bench);
}
END_TEST

START_TEST(test_small_bodies_do_not_wait_for_large_ones)
{
	struct bench *bench = new_bench();
	add_stage(bench, simple(SLUICE_KIND_PARSE, hold_large));
	start(bench);
	close_gate(true);
	struct sender large[3], small;
	for (size_t i = 0; i < 3; i++)
		submit_body(bench, &large[i], LARGE);
	submit_body(bench, &small, 10);
	ck_assert_int_eq(outcome(&small), OUTCOME_REJECTED);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(large[i].answers, 0);
	close_gate(false);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(outcome(&large[i]), OUTCOME_ACCEPTED);
	stop(bench);
}
END_TEST

START_TEST(test_destroy_answers_large_bodies_that_still_wait)
{
	struct bench *bench = new_bench();
	add_stage(bench, simple(SLUICE_KIND_PARSE, hold_large));
	start(bench);
	close_gate(true);
	struct sender first, second;
	submit_body(bench, &first, LARGE);
	submit_body(bench, &second, LARGE);
	ck_assert_uint_eq(pipeline_drain(bench->pipeline, clock_now_ns() + NS_PER_MS), 2);
	close_gate(false);
	pipeline_destroy(bench->pipeline);
	ck_assert_int_le(outcome(&first), OUTCOME_FAILED);
	ck_assert_int_le(outcome(&second), OUTCOME_FAILED);
}
END_TEST

static void note_unhealthy(struct sluice_observer *observer, const char *reason)
{
	(void)observer;
	snprintf(seen.settled, sizeof(seen.settled), "%s", reason);
}

static void ignore_gauge(struct sluice_observer *observer, const char *name, const char *label, const char *label_value,
                         double value, const char *help)
{
	(void)observer, (void)name, (void)label, (void)label_value, (void)value, (void)help;
}

START_TEST(test_health_follows_what_the_store_said_last)
{
	struct bench *bench = new_bench();
	if (_i)
		add_real(bench, SLUICE_KIND_QUEUE, "memory");
	start(bench);
	struct sluice_observer observer = {.gauge = ignore_gauge, .unhealthy = note_unhealthy};
	struct sender sender;
	int64_t until_ns = clock_now_ns() + 10 * NS_PER_S;
	while (!seen.settled[0] && clock_now_ns() < until_ns) {
		submit(bench, &sender, "never", NULL, "{}");
		ck_assert_int_eq(outcome(&sender), OUTCOME_FAILED);
		pipeline_observe(bench->pipeline, &observer);
	}
	ck_assert_str_eq(seen.settled, "away");
	submit(bench, &sender, "m", NULL, "{}");
	ck_assert_int_eq(outcome(&sender), OUTCOME_ACCEPTED);
	seen.settled[0] = '\0';
	pipeline_observe(bench->pipeline, &observer);
	ck_assert_str_eq(seen.settled, "");
	stop(bench);
}
END_TEST

START_TEST(test_settle_runs_once_in_reverse)
{
	struct bench *bench = new_bench();
	struct sluice_stage_ops auth = simple(SLUICE_KIND_AUTH, pass), parse = simple(SLUICE_KIND_PARSE, pass);
	auth.settle = settle_auth;
	parse.settle = settle_parse;
	add_stage(bench, auth);
	add_stage(bench, parse);
	add_real(bench, SLUICE_KIND_QUEUE, "memory");
	start(bench);
	struct sender sender;
	submit(bench, &sender, "once", NULL, "{}");
	ck_assert_int_eq(outcome(&sender), OUTCOME_ACCEPTED);
	stop(bench);
	ck_assert_str_eq(seen.settled, "pa");
}
END_TEST

START_TEST(test_refused_event_goes_no_further)
{
	struct bench *bench = new_bench();
	struct sluice_stage_ops parse = simple(SLUICE_KIND_PARSE, pass);
	parse.settle = settle_parse;
	add_stage(bench, simple(SLUICE_KIND_AUTH, refuse));
	add_stage(bench, parse);
	start(bench);
	struct sender sender;
	submit(bench, &sender, "m", NULL, "{}");
	ck_assert_int_eq(outcome(&sender), OUTCOME_REJECTED);
	ck_assert_int_eq(sender.last.status, 401);
	ck_assert_str_eq(sender.detail, "no");
	ck_assert_str_eq(sender.last.stage, "auth");
	ck_assert_uint_eq(seen.stored_count, 0);
	ck_assert_str_eq(seen.settled, "");
	stop(bench);
}
END_TEST

static enum sluice_verdict refuse_as_success(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	return sluice_reject(event, 202, "no");
}

START_TEST(test_a_refusal_never_goes_out_as_a_success)
{
	struct bench *bench = new_bench();
	add_stage(bench, simple(SLUICE_KIND_AUTH, refuse_as_success));
	start(bench);
	struct sender sender;
	submit(bench, &sender, "m", NULL, "{}");
	ck_assert_int_eq(outcome(&sender), OUTCOME_REJECTED);
	ck_assert_int_eq(sender.last.status, 400);
	stop(bench);
}
END_TEST

/* What a parse stage may set, and may not. */
static const struct bad_name {
	enum { BAD_ID, BAD_TYPE, BAD_STREAM } field;
	size_t size;
	const char *data;
	enum event_outcome outcome;
} bad_names[] = {
	{BAD_ID, SLUICE_NAME_MAX, NULL, OUTCOME_ACCEPTED},
	{BAD_ID, SLUICE_NAME_MAX + 1, NULL, OUTCOME_FAILED},
	{BAD_ID, 0, "", OUTCOME_FAILED},
	{BAD_ID, 2, "a\xff", OUTCOME_FAILED},
	{BAD_ID, 3, "\xed\xa0\x80", OUTCOME_FAILED},
	{BAD_ID, 2, "\xc3\xa9", OUTCOME_ACCEPTED},
	{BAD_TYPE, 0, "", OUTCOME_ACCEPTED},
	{BAD_TYPE, SLUICE_NAME_MAX, NULL, OUTCOME_ACCEPTED},
	{BAD_TYPE, SLUICE_NAME_MAX + 1, NULL, OUTCOME_FAILED},
	{BAD_TYPE, 1, "\x80", OUTCOME_FAILED},
	{BAD_STREAM, 0, "", OUTCOME_FAILED},
	{BAD_STREAM, SLUICE_NAME_MAX, NULL, OUTCOME_ACCEPTED},
	{BAD_STREAM, SLUICE_NAME_MAX + 1, NULL, OUTCOME_FAILED},
	{BAD_STREAM, 1, "\xff", OUTCOME_FAILED},
};
static const struct bad_name *bad_name;

static enum sluice_verdict set_bad_name(struct sluice_stage *stage, struct sluice_event *event)
{
	static const char longest[SLUICE_NAME_MAX + 1] = {'x'};
	struct sluice_bytes *const fields[] = {&event->message_id, &event->event_type, &event->stream};
	(void)stage;
	*fields[bad_name->field] = (struct sluice_bytes){bad_name->data ? bad_name->data : longest, bad_name->size};
	return SLUICE_PASS;
}

START_TEST(test_names_too_long_or_no_text_fail_the_event_and_are_not_shown)
{
	struct bench *bench = new_bench();
	add_stage(bench, simple(SLUICE_KIND_PARSE, set_bad_name));
	add_real(bench, SLUICE_KIND_QUEUE, "memory");
	start(bench);
	struct sender sender;
	bad_name = &bad_names[_i];
	submit(bench, &sender, "m", NULL, "{}");
	ck_assert_int_eq(outcome(&sender), bad_name->outcome);
	ck_assert_uint_eq(seen.stored_count, bad_name->outcome == OUTCOME_ACCEPTED);
	stop(bench);
}
END_TEST

START_TEST(test_unknown_verdict_fails_the_event_alone)
{
	struct bench *bench = new_bench();
	add_stage(bench, simple(SLUICE_KIND_AUTH, nonsense));
	start(bench);
	struct sender sender;
	submit(bench, &sender, "m", NULL, "{}");
	ck_assert_int_eq(outcome(&sender), OUTCOME_FAILED);
	ck_assert_int_eq(sender.last.status, 500);
	stop(bench);
}
END_TEST

START_TEST(test_resume_may_come_before_process_returns)
{
	struct bench *bench = new_bench();
	add_stage(bench, simple(SLUICE_KIND_AUTH, resume_before_return));
	start(bench);
	struct sender sender;
	submit(bench, &sender, "m", NULL, "{}");
	ck_assert_int_eq(outcome(&sender), OUTCOME_ACCEPTED);
	stop(bench);
}
END_TEST

START_TEST(test_resume_may_come_from_any_thread)
{
	struct bench *bench = new_bench();
	add_stage(bench, simple(SLUICE_KIND_IDEMPOTENCY, resume_from_a_thread));
	start(bench);
	enum { COUNT = 200 };
	static struct sender senders[COUNT];
	for (size_t i = 0; i < COUNT; i++)
		submit(bench, &senders[i], "m", NULL, "{}");
	for (size_t i = 0; i < COUNT; i++)
		ck_assert_int_eq(outcome(&senders[i]), OUTCOME_DUPLICATE);
	stop(bench);
}
END_TEST

START_TEST(test_of_fifty_with_one_id_one_is_stored)
{
	struct bench *bench = new_bench();
	add_real(bench, SLUICE_KIND_IDEMPOTENCY, "memory");
	add_real(bench, SLUICE_KIND_QUEUE, "memory");
	start(bench);
	close_gate(true);
	static struct sender senders[50];
	for (size_t i = 0; i < 50; i++)
		submit(bench, &senders[i], "m", "s", "{}");
	struct sender other;
	submit(bench, &other, "m", "s", "{\"other\":1}");
	close_gate(false);
	size_t outcomes[OUTCOME_COUNT] = {0};
	for (size_t i = 0; i < 50; i++)
		outcomes[outcome(&senders[i])]++;
	ck_assert_uint_eq(outcomes[OUTCOME_ACCEPTED], 1);
	ck_assert_uint_eq(outcomes[OUTCOME_DUPLICATE], 49);
	ck_assert_int_eq(outcome(&other), OUTCOME_CONFLICT);
	ck_assert_int_eq(other.last.status, 422);
	ck_assert_uint_eq(seen.stored_count, 1);
	stop(bench);
}
END_TEST

START_TEST(test_duplicate_of_failed_original_takes_its_place)
{
	struct bench *bench = new_bench();
	add_real(bench, SLUICE_KIND_IDEMPOTENCY, "memory");
	add_real(bench, SLUICE_KIND_QUEUE, "memory");
	start(bench);
	close_gate(true);
	static struct sender senders[50];
	for (size_t i = 0; i < 50; i++)
		submit(bench, &senders[i], "fail", NULL, "{}");
	close_gate(false);
	/* Each in its turn became the original, was tried, and failed on its own. */
	for (size_t i = 0; i < 50; i++)
		ck_assert_int_eq(outcome(&senders[i]), OUTCOME_FAILED);
	pthread_mutex_lock(&seen.lock);
	ck_assert_uint_eq(seen.batch_count, 50);
	pthread_mutex_unlock(&seen.lock);
	stop(bench);
}
END_TEST

static void number(char text[64], const char *prefix, size_t i)
{
	snprintf(text, 64, "%s%zu", prefix, i);
}

/* Event 5 fails once while 6 to 20 are in flight, 8 workers: what is stored is in the order of acceptance. */
START_TEST(test_stream_keeps_its_order_across_a_retry)
{
	struct bench *bench = new_bench();
	bench->config.persist.max_batch = 1 + _i; /* 1: every event alone; more: in batches */
	add_real(bench, SLUICE_KIND_QUEUE, "memory");
	start(bench);
	static struct sender senders[21];
	for (size_t i = 1; i <= 20; i++) {
		char id[64];
		number(id, i == 5 ? "once" : "m", i);
		submit(bench, &senders[i], id, "stream", "{}");
	}
	for (size_t i = 1; i <= 20; i++)
		ck_assert_int_eq(outcome(&senders[i]), OUTCOME_ACCEPTED);
	ck_assert_uint_eq(seen.stored_count, 20);
	for (size_t i = 1; i <= 20; i++) {
		char id[64];
		number(id, i == 5 ? "once" : "m", i);
		ck_assert_str_eq(seen.stored[i - 1], id);
	}
	struct pipeline_stats stats;
	pipeline_get_stats(bench->pipeline, &stats);
	ck_assert_uint_ge(stats.retries, 1);
	stop(bench);
}
END_TEST

START_TEST(test_what_is_behind_a_lost_event_is_turned_away_with_it)
{
	struct bench *bench = new_bench();
	add_real(bench, SLUICE_KIND_QUEUE, "memory");
	start(bench);
	static struct sender senders[10], other;
	for (size_t i = 0; i < 10; i++) {
		char id[64];
		number(id, i == 4 ? "never" : "m", i);
		submit(bench, &senders[i], id, "stream", "{}");
	}
	submit(bench, &other, "m", "another stream", "{}");
	ck_assert_int_eq(outcome(&other), OUTCOME_ACCEPTED);
	for (size_t i = 0; i < 10; i++)
		ck_assert_int_eq(outcome(&senders[i]), i < 4 ? OUTCOME_ACCEPTED : OUTCOME_FAILED);
	ck_assert_int_eq(senders[9].last.status, 503);
	ck_assert_uint_eq(seen.stored_count, 5);
	struct pipeline_stats stats;
	pipeline_get_stats(bench->pipeline, &stats);
	ck_assert_uint_eq(stats.queue_depth, 0);
	/* The stream is open again for what comes after. */
	submit(bench, &other, "later", "stream", "{}");
	ck_assert_int_eq(outcome(&other), OUTCOME_ACCEPTED);
	stop(bench);
}
END_TEST

START_TEST(test_a_pause_beyond_the_deadline_ends_the_event)
{
	struct bench *bench = new_bench();
	add_real(bench, SLUICE_KIND_QUEUE, "memory");
	start(bench);
	struct sender sender;
	submit(bench, &sender, "long", NULL, "{}");
	ck_assert_int_eq(outcome(&sender), OUTCOME_FAILED);
	ck_assert_uint_eq(seen.batch_count, 1);
	stop(bench);
}
END_TEST

START_TEST(test_poison_fails_alone)
{
	struct bench *bench = new_bench();
	bench->config.queue.workers = 1;
	add_real(bench, SLUICE_KIND_QUEUE, "memory");
	start(bench);
	close_gate(true);
	static struct sender senders[20];
	for (size_t i = 0; i < 20; i++) {
		char id[64];
		number(id, i == 7 ? "fail" : "m", i);
		submit(bench, &senders[i], id, "stream", "{}");
	}
	close_gate(false);
	for (size_t i = 0; i < 20; i++)
		ck_assert_int_eq(outcome(&senders[i]), i == 7 ? OUTCOME_FAILED : OUTCOME_ACCEPTED);
	ck_assert_int_eq(senders[7].last.status, 500);
	stop(bench);
}
END_TEST

/* Of 100 that wait, each with 2 bytes of payload. */
static const struct {
	int64_t max_batch;
	uint64_t max_bytes;
	size_t batches[4];
} takes[] = {
	{256, 1 << 20, {100}},
	{100, 200, {100}},
	{40, 1 << 20, {40, 40, 20}},
	{256, 81, {40, 40, 20}},
};

START_TEST(test_a_free_worker_takes_all_that_waits_up_to_the_bounds)
{
	struct bench *bench = new_bench();
	bench->config.persist.max_batch = takes[_i].max_batch;
	bench->config.persist.max_bytes = takes[_i].max_bytes;
	bench->config.queue.workers = 1;
	add_real(bench, SLUICE_KIND_QUEUE, "memory");
	start(bench);
	close_gate(true);
	static struct sender senders[101];
	submit(bench, &senders[0], "m", NULL, "{}");
	/* The first is in the worker's hands when the depth is 0. */
	struct pipeline_stats stats;
	do
		pipeline_get_stats(bench->pipeline, &stats);
	while (stats.queue_depth > 0);
	for (size_t i = 1; i <= 100; i++)
		submit(bench, &senders[i], "m", NULL, "{}");
	pipeline_get_stats(bench->pipeline, &stats);
	ck_assert_uint_eq(stats.queue_depth, 100);
	close_gate(false);
	for (size_t i = 0; i <= 100; i++)
		ck_assert_int_eq(outcome(&senders[i]), OUTCOME_ACCEPTED);
	size_t count = 0;
	for (; takes[_i].batches[count]; count++)
		ck_assert_uint_eq(seen.batches[1 + count], takes[_i].batches[count]);
	ck_assert_uint_eq(seen.batch_count, 1 + count);
	ck_assert_uint_eq(senders[50].times.batch_size, takes[_i].batches[50 / takes[_i].batches[0]]);
	stop(bench);
}
END_TEST

/* Who announces much and sends it slowly leaves room for others. */
START_TEST(test_what_is_being_received_has_no_place_and_half_of_the_bytes)
{
	enum { MIB = 1 << 20 };
	struct bench *bench = new_bench();
	bench->config.events.max = 1;
	bench->config.events.max_bytes = 8 * MIB;
	bench->config.listen.max_body = MIB / 2;
	start(bench);
	struct event *events[4];
	size_t count = 0;
	for (; count < 4; count++) {
		ck_assert(count == 3 || generations_excess(pipeline_generations(bench->pipeline)) == 0);
		events[count] = pipeline_receive(bench->pipeline);
		if (!event_alloc(events[count], MIB + 1))
			break;
	}
	ck_assert_uint_eq(count, 3); /* of 4 MiB */
	struct pipeline_stats stats;
	pipeline_get_stats(bench->pipeline, &stats);
	ck_assert_uint_eq(stats.in_flight, 0);
	ck_assert_uint_eq(stats.receiving, 4);
	ck_assert_uint_ge(stats.in_flight_bytes, 3 * MIB);
	ck_assert_uint_ge(generations_excess(pipeline_generations(bench->pipeline)), MIB / 2);
	ck_assert(pipeline_admit(events[0])); /* from here on it counts among those in flight */
	ck_assert_uint_eq(generations_excess(pipeline_generations(bench->pipeline)), 0);
	ck_assert_ptr_nonnull(event_alloc(events[0], 3 * MIB));
	ck_assert_ptr_nonnull(event_alloc(events[3], MIB));
	for (size_t i = 0; i < 4; i++)
		pipeline_discard(events[i]);
	pipeline_get_stats(bench->pipeline, &stats);
	ck_assert_uint_eq(stats.in_flight, 0);
	ck_assert_uint_eq(stats.in_flight_bytes, 0);
	stop(bench);
}
END_TEST

START_TEST(test_the_pool_is_bounded)
{
	struct bench *bench = new_bench();
	bench->config.events.max = 3;
	start(bench);
	struct event *events[4];
	for (size_t i = 0; i < 4; i++) {
		events[i] = pipeline_receive(bench->pipeline);
		ck_assert_int_eq(pipeline_admit(events[i]), i < 3);
	}
	ck_assert_ptr_null(event_alloc(events[0], (size_t)65 << 20));
	pipeline_discard(events[0]);
	ck_assert(pipeline_admit(events[3]));
	for (size_t i = 1; i < 4; i++)
		pipeline_discard(events[i]);
	struct pipeline_stats stats;
	pipeline_get_stats(bench->pipeline, &stats);
	ck_assert_uint_eq(stats.in_flight, 0);
	ck_assert_uint_eq(stats.in_flight_bytes, 0);
	stop(bench);
}
END_TEST

START_TEST(test_times_of_all_stages_add_up)
{
	struct bench *bench = new_bench();
	add_stage(bench, simple(SLUICE_KIND_AUTH, pass));
	add_real(bench, SLUICE_KIND_IDEMPOTENCY, "memory");
	add_real(bench, SLUICE_KIND_QUEUE, "memory");
	start(bench);
	struct sender sender;
	submit(bench, &sender, "once", NULL, "{}");
	ck_assert_int_eq(outcome(&sender), OUTCOME_ACCEPTED);
	const struct event_times *times = &sender.times;
	int64_t sum = 0;
	for (int kind = 0; kind < KIND_COUNT; kind++)
		sum += times->stages[kind].work_ns + times->stages[kind].wait_ns + times->stages[kind].parked_ns;
	ck_assert_int_eq(times->ack_ns - times->start_ns, sum);
	ck_assert_uint_eq(times->attempts, 2);
	ck_assert_int_ge(times->stages[SLUICE_KIND_QUEUE].wait_ns, NS_PER_MS / 2); /* the pause between the tries */
	ck_assert(!times->stages[SLUICE_KIND_PARSE].ran);
	stop(bench);
}
END_TEST

static enum sluice_verdict compute(struct sluice_stage *stage, struct sluice_event *event)
{
	int64_t until_ns = clock_thread_ns() + 5 * NS_PER_MS;
	while (clock_thread_ns() < until_ns)
		;
	return pass(stage, event);
}

static enum sluice_verdict block(struct sluice_stage *stage, struct sluice_event *event)
{
	const struct timespec time = {.tv_nsec = 20 * NS_PER_MS};
	(void)nanosleep(&time, NULL);
	return pass(stage, event);
}

START_TEST(test_processor_time_tells_work_from_waiting)
{
	struct bench *bench = new_bench();
	bench->config.observability.processor_time = true;
	add_stage(bench, simple(SLUICE_KIND_AUTH, compute));
	add_stage(bench, simple(SLUICE_KIND_PARSE, block));
	add_real(bench, SLUICE_KIND_QUEUE, "memory");
	start(bench);
	struct sender sender;
	submit(bench, &sender, "1", NULL, "{}");
	ck_assert_int_eq(outcome(&sender), OUTCOME_ACCEPTED);
	const struct stage_times *stages = sender.times.stages;
	ck_assert_int_ge(stages[SLUICE_KIND_AUTH].cpu_ns, 5 * NS_PER_MS);
	ck_assert_int_lt(stages[SLUICE_KIND_PARSE].cpu_ns, 10 * NS_PER_MS);
	ck_assert_int_ge(stages[SLUICE_KIND_PARSE].work_ns, 20 * NS_PER_MS);
	ck_assert(stages[SLUICE_KIND_AUTH].has_cpu && stages[SLUICE_KIND_PARSE].has_cpu);
	ck_assert(stages[SLUICE_KIND_PERSIST].has_cpu && stages[SLUICE_KIND_PERSIST].cpu_ns > 0);
	ck_assert(!stages[SLUICE_KIND_QUEUE].has_cpu); /* others have the event when put() ends */
	stop(bench);
}
END_TEST

START_TEST(test_processor_time_is_not_measured_unless_somebody_asked)
{
	struct bench *bench = new_bench();
	add_stage(bench, simple(SLUICE_KIND_AUTH, compute));
	start(bench);
	struct sender sender;
	submit(bench, &sender, "1", NULL, "{}");
	ck_assert_int_eq(outcome(&sender), OUTCOME_ACCEPTED);
	for (int kind = 0; kind < KIND_COUNT; kind++)
		ck_assert(!sender.times.stages[kind].has_cpu && sender.times.stages[kind].cpu_ns == 0);
	stop(bench);
}
END_TEST

START_TEST(test_destroy_answers_what_still_waits)
{
	struct bench *bench = new_bench();
	add_real(bench, SLUICE_KIND_IDEMPOTENCY, "memory");
	add_real(bench, SLUICE_KIND_QUEUE, "memory");
	start(bench);
	static struct sender senders[20];
	for (size_t i = 0; i < 20; i++) { /* duplicates among them, which come back when their original goes */
		char id[64];
		number(id, "never", i / 2);
		submit(bench, &senders[i], id, "stream", "{}");
	}
	ck_assert_uint_gt(pipeline_drain(bench->pipeline, clock_now_ns() + NS_PER_MS), 0);
	pipeline_destroy(bench->pipeline);
	for (size_t i = 0; i < 20; i++)
		ck_assert_int_eq(outcome(&senders[i]), OUTCOME_FAILED);
}
END_TEST

/* A queue that says it is durable; what matters here is when the core acknowledges. */
static struct {
	pthread_mutex_t lock;
	struct sluice_event *events[64];
	size_t first, count, done, backlog;
	bool waits;
} journal = {.lock = PTHREAD_MUTEX_INITIALIZER};

static enum sluice_verdict journal_put(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	pthread_mutex_lock(&journal.lock);
	journal.events[journal.count++] = event;
	pthread_mutex_unlock(&journal.lock);
	if (!journal.waits)
		return SLUICE_PASS;
	sluice_resume(event, SLUICE_PASS);
	return SLUICE_WAIT;
}

static size_t journal_take(struct sluice_stage *stage, struct sluice_event **events, size_t max)
{
	size_t count = 0;
	pthread_mutex_lock(&journal.lock);
	bool full = false;
	while (journal.backlog > 0 && count < max && !full) {
		char id[64];
		number(id, "old", journal.backlog);
		struct sluice_bytes text = {id, strlen(id)};
		struct sluice_record record = {
			.message_id = text, .payload = text, .request_id = text, .stream = {"s", 1}};
		events[count] = stage->host->restore(stage, &record);
		full = !events[count];
		journal.backlog -= !full;
		count += !full;
	}
	while (!full && count < max && journal.first < journal.count)
		events[count++] = journal.events[journal.first++];
	pthread_mutex_unlock(&journal.lock);
	return count;
}

static void journal_done(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	(void)stage;
	(void)event;
	pthread_mutex_lock(&journal.lock);
	journal.done += verdict != SLUICE_RETRY;
	pthread_mutex_unlock(&journal.lock);
}

/* A journal whose put() waits for a thread of its own, as for a group commit. An event may be taken before it is
 * resumed. */
static struct {
	struct sluice_event *_Atomic put[STORED_MAX];
	_Atomic size_t put_count, kept_count;
	size_t taken;
	atomic_bool stops;
} slow;

static enum sluice_verdict slow_put(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	pthread_mutex_lock(&journal.lock);
	slow.put[slow.put_count] = event;
	slow.put_count++;
	pthread_mutex_unlock(&journal.lock);
	return SLUICE_WAIT;
}

static void *keep(void *unused)
{
	(void)unused;
	while (!slow.stops || slow.kept_count < slow.put_count) {
		if (slow.kept_count == slow.put_count) {
			sched_yield();
			continue;
		}
		struct sluice_event *event = slow.put[slow.kept_count++];
		sluice_resume(event, SLUICE_PASS);
	}
	return NULL;
}

static size_t slow_take(struct sluice_stage *stage, struct sluice_event **events, size_t max)
{
	(void)stage;
	size_t count = 0;
	while (count < max && slow.taken < slow.kept_count)
		events[count++] = slow.put[slow.taken++];
	return count;
}

START_TEST(test_an_event_resumed_in_put_is_answered_once_whoever_has_it)
{
	struct bench *bench = new_bench();
	bench->config.ack = _i ? ACK_QUEUED : ACK_STORED;
	add_real(bench, SLUICE_KIND_IDEMPOTENCY, "memory");
	static const struct sluice_queue_ops queue = {
		.put = slow_put, .take = slow_take, .done = journal_done, .flags = SLUICE_QUEUE_DURABLE};
	add_stage(bench,
	          (struct sluice_stage_ops){.kind = SLUICE_KIND_QUEUE, .of.queue = &queue, .name = "slow journal"});
	start(bench);
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, keep, NULL), 0);
	enum { COUNT = 2000, AT_ONCE = 32 };
	static struct sender senders[COUNT];
	for (size_t i = 0; i < COUNT; i++) {
		char id[64];
		number(id, "m", i);
		submit(bench, &senders[i], id, NULL, "{}");
		if (i >= AT_ONCE)
			ck_assert_int_eq(outcome(&senders[i - AT_ONCE]), OUTCOME_ACCEPTED);
	}
	for (size_t i = COUNT - AT_ONCE; i < COUNT; i++)
		ck_assert_int_eq(outcome(&senders[i]), OUTCOME_ACCEPTED);
	slow.stops = true;
	pthread_join(thread, NULL);
	stop(bench);
	ck_assert_uint_eq(seen.stored_count, COUNT);
	ck_assert_uint_eq(journal.done, COUNT);
}
END_TEST

static const struct sluice_queue_ops durable = {
	.put = journal_put, .take = journal_take, .done = journal_done, .flags = SLUICE_QUEUE_DURABLE};

static const struct sluice_stage_ops durable_queue = {
	.kind = SLUICE_KIND_QUEUE,
	.of.queue = &durable,
	.name = "journal",
};

START_TEST(test_ack_queued_answers_before_the_store_and_keeps_what_it_refuses_as_dead_letters)
{
	struct bench *bench = new_bench();
	bench->config.ack = ACK_QUEUED;
	journal.waits = _i;
	add_real(bench, SLUICE_KIND_IDEMPOTENCY, "memory");
	add_stage(bench, durable_queue);
	start(bench);
	close_gate(true);
	struct sender fails, once;
	submit(bench, &fails, "fail", "s", "{}");
	submit(bench, &once, "once", "s", "{}");
	ck_assert_int_eq(outcome(&fails), OUTCOME_ACCEPTED);
	ck_assert_int_eq(outcome(&once), OUTCOME_ACCEPTED);
	ck_assert_int_eq(fails.last.ack, ACK_QUEUED);
	struct sender again;
	submit(bench, &again, "once", "s", "{}");
	ck_assert_int_eq(outcome(&again), OUTCOME_DUPLICATE);
	close_gate(false);
	struct pipeline *pipeline = bench->pipeline;
	ck_assert_uint_eq(pipeline_drain(pipeline, clock_now_ns() + 10 * NS_PER_S), 0);
	struct pipeline_stats stats;
	pipeline_get_stats(pipeline, &stats);
	ck_assert_uint_eq(stats.dead_letters, 1);
	ck_assert_uint_eq(seen.buried, 1);
	ck_assert_uint_eq(seen.stored_count, 1);
	ck_assert_uint_eq(journal.done, 2);
	stop(bench);
}
END_TEST

START_TEST(test_backlog_of_a_durable_queue_is_delivered_first)
{
	struct bench *bench = new_bench();
	bench->config.ack = ACK_QUEUED;
	journal.backlog = 3;
	add_stage(bench, durable_queue);
	start(bench);
	struct sender sender;
	submit(bench, &sender, "new", "s", "{}");
	ck_assert_int_eq(outcome(&sender), OUTCOME_ACCEPTED);
	stop(bench);
	static const char *const expected[] = {"old3", "old2", "old1", "new"};
	ck_assert_uint_eq(seen.stored_count, 4);
	for (size_t i = 0; i < 4; i++)
		ck_assert_str_eq(seen.stored[i], expected[i]);
}
END_TEST

static bool tell_one(struct sluice_stage *stage, struct sluice_error *error)
{
	(void)error;
	const struct sluice_acknowledged *acknowledged = stage->host->extension(SLUICE_ACKNOWLEDGED);
	const struct sluice_bytes text = {"told", 4};
	acknowledged->tell(stage, &(struct sluice_record){.message_id = text, .payload = text, .request_id = text});
	return true;
}

static int told_number;
static const enum sluice_verdict told[] = {SLUICE_PASS, SLUICE_DONE, SLUICE_RETRY};

static enum sluice_verdict process_told(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	ck_assert(event->acknowledged); /* so it knows that it is told, not asked */
	return told[told_number] == SLUICE_RETRY ? sluice_retry(event, 0, "away") : told[told_number];
}

static void settle_told(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	(void)stage, (void)event;
	ck_assert_int_eq(verdict, told[told_number]);
	note_settled('i');
}

/* What idempotency claims for an event of the backlog it is told to let go, whatever it says of it. */
START_TEST(test_idempotency_settles_what_it_is_told_of)
{
	static struct sluice_queue_ops queue;
	struct bench *bench = new_bench();
	struct sluice_stage_ops journaled = durable_queue;
	struct sluice_stage_ops idempotency = simple(SLUICE_KIND_IDEMPOTENCY, process_told);
	told_number = _i;
	queue = *durable_queue.of.queue;
	queue.recover = tell_one;
	journaled.of.queue = &queue;
	idempotency.settle = settle_told;
	bench->config.ack = ACK_QUEUED;
	add_stage(bench, idempotency);
	add_stage(bench, journaled);
	start(bench);
	ck_assert_str_eq(seen.settled, "i");
	stop(bench);
}
END_TEST

/* A durable queue that keeps one event back for its first calls of take(), and is not woken for it. */
static struct {
	_Atomic int refusals;
	_Atomic size_t count;
} reluctant = {.refusals = 3, .count = 1};

static size_t reluctant_take(struct sluice_stage *stage, struct sluice_event **events, size_t max)
{
	struct sluice_record record = {
		.message_id = {"old", 3}, .payload = {"{}", 2}, .request_id = {"r", 1}, .stream = {"s", 1}};
	(void)max;
	if (reluctant.refusals < 0 || reluctant.refusals-- > 0)
		return 0;
	events[0] = stage->host->restore(stage, &record);
	return 1;
}

static void reluctant_done(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	(void)stage;
	(void)event;
	(void)verdict;
	reluctant.count--;
}

static size_t reluctant_count(struct sluice_stage *stage)
{
	(void)stage;
	return reluctant.count;
}

static const char *no_place(const void *config)
{
	(void)config;
	return "somewhere";
}

START_TEST(test_what_a_queue_keeps_back_is_asked_for_again)
{
	static const struct sluice_queue_ops queue = {
		.put = journal_put, .take = reluctant_take, .done = reluctant_done, .flags = SLUICE_QUEUE_DURABLE};
	static const struct sluice_queue_backlog backlog = {.place = no_place, .count = reluctant_count};
	static const struct sluice_extension extensions[] = {{SLUICE_QUEUE_BACKLOG, &backlog}, SLUICE_EXTENSION_END};
	struct bench *bench = new_bench();
	add_stage(bench, (struct sluice_stage_ops){.kind = SLUICE_KIND_QUEUE,
	                                           .of.queue = &queue,
	                                           .name = "reluctant",
	                                           .extensions = extensions});
	start(bench);
	int64_t until_ns = clock_now_ns() + 10 * NS_PER_S;
	while (reluctant.count > 0 && clock_now_ns() < until_ns)
		(void)sched_yield();
	ck_assert_uint_eq(reluctant.count, 0);
	stop(bench);
	ck_assert_str_eq(seen.stored[0], "old");
}
END_TEST

/* Newer events have all places of the pool, and wait in the queue for older ones that have none. */
START_TEST(test_a_backlog_comes_through_a_pool_that_newer_events_fill)
{
	struct bench *bench = new_bench();
	bench->config.ack = ACK_QUEUED;
	bench->config.events.max = 4;
	add_stage(bench, durable_queue);
	start(bench);
	struct event *others[4]; /* all places */
	for (size_t i = 0; i < 4; i++) {
		others[i] = pipeline_receive(bench->pipeline);
		ck_assert(pipeline_admit(others[i]));
	}
	struct event *refused = pipeline_receive(bench->pipeline);
	ck_assert(!pipeline_admit(refused));
	pipeline_discard(refused);
	pthread_mutex_lock(&journal.lock);
	journal.backlog = 40;
	pthread_mutex_unlock(&journal.lock);
	struct sender sender;
	submit_event(others[0], &sender, "new", "s", "{}");
	ck_assert_int_eq(outcome(&sender), OUTCOME_ACCEPTED);
	size_t stored = 0;
	for (int64_t until_ns = clock_now_ns() + 10 * NS_PER_S; stored < 41 && clock_now_ns() < until_ns;) {
		(void)sched_yield();
		pthread_mutex_lock(&seen.lock);
		stored = seen.stored_count;
		pthread_mutex_unlock(&seen.lock);
	}
	ck_assert_uint_eq(stored, 41);
	for (size_t i = 1; i < 4; i++)
		pipeline_discard(others[i]);
	stop(bench);
	ck_assert_str_eq(seen.stored[0], "old40");
	ck_assert_str_eq(seen.stored[40], "new");
}
END_TEST

/* Threads that send at once, streams in order each, now and then a retry: nothing lost, doubled or out of order. */
enum { LOAD_THREADS = 4, LOAD_EVENTS = 200 };

static struct bench *load_bench;
static struct sender load_senders[LOAD_THREADS][LOAD_EVENTS];

static void *send_load(void *argument)
{
	size_t thread = (size_t)(uintptr_t)argument;
	char stream[64];
	number(stream, "stream", thread);
	for (size_t i = 0; i < LOAD_EVENTS; i++) {
		char id[64];
		snprintf(id, sizeof(id), "%s-%zu-%zu", i % 17 == 5 ? "once" : "m", thread, i);
		submit(load_bench, &load_senders[thread][i], id, stream, "{}");
	}
	return NULL;
}

START_TEST(test_load_loses_doubles_and_reorders_nothing)
{
	load_bench = new_bench();
	load_bench->config.persist.max_batch = 7;
	add_real(load_bench, SLUICE_KIND_IDEMPOTENCY, "memory");
	add_real(load_bench, SLUICE_KIND_QUEUE, "memory");
	start(load_bench);
	pthread_t threads[LOAD_THREADS];
	for (size_t i = 0; i < LOAD_THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, send_load, (void *)(uintptr_t)i), 0);
	for (size_t i = 0; i < LOAD_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (size_t t = 0; t < LOAD_THREADS; t++)
		for (size_t i = 0; i < LOAD_EVENTS; i++)
			ck_assert_int_eq(outcome(&load_senders[t][i]), OUTCOME_ACCEPTED);
	stop(load_bench);
	ck_assert_uint_eq(seen.stored_count, LOAD_THREADS * LOAD_EVENTS);
	size_t next[LOAD_THREADS] = {0};
	for (size_t k = 0; k < seen.stored_count; k++) {
		size_t thread, i;
		ck_assert_int_eq(sscanf(strchr(seen.stored[k], '-'), "-%zu-%zu", &thread, &i), 2);
		ck_assert_uint_eq(i, next[thread]++);
	}
}
END_TEST

static Suite *make_suite(void)
{
	TCase *all = tcase_create("pipeline");
	tcase_set_timeout(all, 60);
	tcase_add_test(all, test_without_a_queue_the_answer_comes_on_the_senders_thread);
	tcase_add_test(all, test_only_a_large_body_leaves_the_senders_thread);
	tcase_add_test(all, test_small_bodies_do_not_wait_for_large_ones);
	tcase_add_test(all, test_destroy_answers_large_bodies_that_still_wait);
	tcase_add_loop_test(all, test_health_follows_what_the_store_said_last, 0, 2);
	tcase_add_test(all, test_settle_runs_once_in_reverse);
	tcase_add_test(all, test_refused_event_goes_no_further);
	tcase_add_test(all, test_a_refusal_never_goes_out_as_a_success);
	tcase_add_loop_test(all, test_names_too_long_or_no_text_fail_the_event_and_are_not_shown, 0,
	                    sizeof(bad_names) / sizeof(bad_names[0]));
	tcase_add_test(all, test_unknown_verdict_fails_the_event_alone);
	tcase_add_test(all, test_resume_may_come_before_process_returns);
	tcase_add_test(all, test_resume_may_come_from_any_thread);
	tcase_add_test(all, test_of_fifty_with_one_id_one_is_stored);
	tcase_add_test(all, test_duplicate_of_failed_original_takes_its_place);
	tcase_add_loop_test(all, test_stream_keeps_its_order_across_a_retry, 0, 8);
	tcase_add_test(all, test_what_is_behind_a_lost_event_is_turned_away_with_it);
	tcase_add_test(all, test_a_pause_beyond_the_deadline_ends_the_event);
	tcase_add_test(all, test_poison_fails_alone);
	tcase_add_loop_test(all, test_a_free_worker_takes_all_that_waits_up_to_the_bounds, 0,
	                    sizeof(takes) / sizeof(takes[0]));
	tcase_add_test(all, test_what_is_being_received_has_no_place_and_half_of_the_bytes);
	tcase_add_test(all, test_the_pool_is_bounded);
	tcase_add_test(all, test_times_of_all_stages_add_up);
	tcase_add_test(all, test_processor_time_tells_work_from_waiting);
	tcase_add_test(all, test_processor_time_is_not_measured_unless_somebody_asked);
	tcase_add_test(all, test_destroy_answers_what_still_waits);
	tcase_add_loop_test(all, test_ack_queued_answers_before_the_store_and_keeps_what_it_refuses_as_dead_letters, 0,
	                    2);
	tcase_add_loop_test(all, test_an_event_resumed_in_put_is_answered_once_whoever_has_it, 0, 2);
	tcase_add_test(all, test_backlog_of_a_durable_queue_is_delivered_first);
	tcase_add_loop_test(all, test_idempotency_settles_what_it_is_told_of, 0, 3);
	tcase_add_test(all, test_what_a_queue_keeps_back_is_asked_for_again);
	tcase_add_test(all, test_a_backlog_comes_through_a_pool_that_newer_events_fill);
	tcase_add_test(all, test_load_loses_doubles_and_reorders_nothing);
	Suite *suite = suite_create("pipeline");
	suite_add_tcase(suite, all);
	return suite;
}

UNIT_SUITE(test_pipeline, make_suite)
