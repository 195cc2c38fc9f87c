/*
 * What a persist stage promises for concurrent events: in a batch with one that cannot be stored, and from several
 * threads at once.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "conform/delivery.h"
#include "conform/suite_persist.h"

enum { THREADS = 4, ROUNDS = 30 };

/* What one worker's thread stores. */
struct storing_worker {
	struct check *check;
	struct bench *bench;
	struct sluice_worker worker;
	pthread_barrier_t *barrier;
	struct delivery *deliveries; /* ROUNDS of them */
	pthread_t thread;
};

static void begin_work(struct storing_worker *own)
{
	struct sluice_error error = {0};
	const struct sluice_stage_ops *ops = own->bench->ops;
	if (ops->of.persist->worker_create)
		check_that(own->check, ops->of.persist->worker_create(&own->bench->stage, &own->worker, &error),
		           "worker_create() of worker %u failed: %s", own->worker.id, error.text);
}

static void *store_rounds(void *context)
{
	struct storing_worker *own = context;
	begin_work(own);
	for (size_t round = 0; round < ROUNDS; round++) {
		own->deliveries[round].worker = &own->worker;
		(void)pthread_barrier_wait(own->barrier);
		delivery_send_until_settled(&own->deliveries[round]);
	}
	if (own->bench->ops->of.persist->worker_destroy)
		own->bench->ops->of.persist->worker_destroy(&own->bench->stage, &own->worker);
	return NULL;
}

/* Each thread has ROUNDS batches, made by `fill`, and all begin with each at the same time. */
static void on_many_workers(struct check *check, struct delivery (*deliveries)[ROUNDS],
                            void (*fill)(struct delivery *delivery, size_t worker, size_t round),
                            struct bench **bench_out)
{
	static struct storing_worker workers[THREADS];
	static pthread_barrier_t barrier;
	struct bench *bench = *bench_out = check_open(check);
	(void)pthread_barrier_init(&barrier, NULL, THREADS);
	for (unsigned w = 0; w < THREADS; w++) {
		workers[w] = (struct storing_worker){check, bench, {.id = w}, &barrier, deliveries[w], 0};
		for (size_t round = 0; round < ROUNDS; round++) {
			deliveries[w][round] = (struct delivery){.check = check, .bench = bench};
			fill(&deliveries[w][round], w, round);
		}
	}
	for (unsigned w = 0; w < THREADS; w++)
		check_that(check, pthread_create(&workers[w].thread, NULL, store_rounds, &workers[w]) == 0,
		           "cannot start a thread");
	for (unsigned w = 0; w < THREADS; w++)
		(void)pthread_join(workers[w].thread, NULL);
	(void)pthread_barrier_destroy(&barrier);
}

static void fill_own_streams(struct delivery *delivery, size_t worker, size_t round)
{
	for (size_t i = 0; i < 5; i++) {
		char stream[32];
		(void)snprintf(stream, sizeof(stream), "worker-%zu-%zu", worker, i % 2);
		(void)delivery_add_numbered(delivery, stream, round, i, stream, "{\"a\": 1}");
	}
}

void persist_stores_from_many_threads(struct check *check)
{
	static struct delivery deliveries[THREADS][ROUNDS], all;
	struct bench *bench;
	on_many_workers(check, deliveries, fill_own_streams, &bench);
	for (size_t w = 0; w < THREADS; w++) {
		all = (struct delivery){.check = check, .bench = bench};
		for (size_t round = 0; round < ROUNDS; round++) {
			delivery_expect_all(&deliveries[w][round], SLUICE_PASS);
			for (size_t i = 0; i < deliveries[w][round].count; i++)
				all.events[all.count++] = deliveries[w][round].events[i];
		}
		store_expect_in(&all);
		delivery_end(&all);
	}
	bench_close(bench);
	store_expect_audited(check);
}

static void fill_one_id(struct delivery *delivery, size_t worker, size_t round)
{
	(void)worker;
	(void)delivery_add_numbered(delivery, "same", round, 0, "s", "{\"a\": 1}");
}

void persist_stores_one_id_once(struct check *check)
{
	static struct delivery deliveries[THREADS][ROUNDS];
	struct bench *bench;
	on_many_workers(check, deliveries, fill_one_id, &bench);
	struct store_image image = store_read(check, bench);
	for (size_t round = 0; round < ROUNDS; round++) {
		unsigned counts[SLUICE_FAIL + 1] = {0};
		for (size_t w = 0; w < THREADS; w++)
			counts[deliveries[w][round].verdicts[0]]++;
		size_t count = store_count(&image, deliveries[0][round].events[0]);
		check_that(check, count == 1,
		           "one id from %d threads at once: expected it in the store once, found it %zu times",
		           (int)THREADS, count);
		check_that(
			check, counts[SLUICE_PASS] == 1 && counts[SLUICE_DONE] == THREADS - 1,
			"one id from %d threads at once: expected one PASS and the rest DONE, got %u PASS and %u DONE",
			(int)THREADS, counts[SLUICE_PASS], counts[SLUICE_DONE]);
		for (size_t w = 0; w < THREADS; w++)
			delivery_end(&deliveries[w][round]);
	}
	store_image_finish(&image);
	bench_close(bench);
	store_expect_audited(check);
}

/* What one store or another cannot keep, in the field it would be in. All of it may come out of a parse stage. */
enum field { FIELD_PAYLOAD, FIELD_ID, FIELD_TYPE, FIELD_STREAM };

#define TEXT(literal) literal, sizeof(literal) - 1

static const struct suspect {
	const char *name;
	enum field field;
	const char *data;
	size_t size;
} suspects[] = {
	{"a NUL in the message id", FIELD_ID, TEXT("\0id")},
	{"a NUL in the type", FIELD_TYPE, TEXT("a\0b")},
	{"a NUL in the stream", FIELD_STREAM, TEXT("a\0b")},
	{"a payload of NULs", FIELD_PAYLOAD, TEXT("\0\0")},
	{"a payload that is not UTF-8", FIELD_PAYLOAD, TEXT("\"\xff\"")},
	{"a payload that is not JSON", FIELD_PAYLOAD, TEXT("{\"a\":")},
	{"an empty payload", FIELD_PAYLOAD, TEXT("")},
	{"\\u0000 in a payload", FIELD_PAYLOAD, TEXT("\"\\u0000\"")},
	{"half a surrogate pair in a payload", FIELD_PAYLOAD, TEXT("\"\\ud800\"")},
	{"an out-of-range number in a payload", FIELD_PAYLOAD, TEXT("1e400000")},
};
enum { SUSPECTS = sizeof(suspects) / sizeof(suspects[0]) };

static void add_suspect(struct delivery *delivery, const struct suspect *suspect, size_t round)
{
	struct sluice_event *event = delivery_add_numbered(delivery, "suspect", round, delivery->count, "s",
	                                                   "{\"a\": 1}");
	char id[SLUICE_NAME_MAX];
	struct sluice_bytes data = sluice_copy(event, suspect->data, suspect->size);
	switch (suspect->field) {
	case FIELD_PAYLOAD:
		event->payload = data;
		break;
	case FIELD_ID:
		memcpy(id, event->message_id.data, event->message_id.size);
		memcpy(id + event->message_id.size, suspect->data, suspect->size);
		event->message_id = sluice_copy(event, id, event->message_id.size + suspect->size);
		break;
	case FIELD_TYPE:
		event->event_type = data;
		break;
	case FIELD_STREAM:
		event->stream = data;
		break;
	}
}

static void judge_suspect(const struct delivery *delivery, const struct store_image *image, size_t i, const char *name)
{
	enum sluice_verdict verdict = delivery->verdicts[i];
	size_t count = store_count(image, delivery->events[i]);
	check_that(delivery->check, verdict == SLUICE_PASS || verdict == SLUICE_FAIL || verdict == SLUICE_REJECT,
	           "%s: expected PASS, REJECT or FAIL, got %s", name, verdict_name(verdict));
	check_that(delivery->check, count == (verdict == SLUICE_PASS), "%s: got %s, and is in the store %zu times",
	           name, verdict_name(verdict), count);
}

/* suspects[first] to suspects[last], each among neighbours that nobody can refuse. */
static void store_among_neighbours(struct check *check, struct bench *bench, size_t round, size_t first, size_t last)
{
	struct delivery delivery = {.check = check, .bench = bench};
	delivery_add_batch(&delivery, "neighbour", round, 3);
	for (size_t s = first; s <= last; s++) {
		add_suspect(&delivery, &suspects[s], round);
		(void)delivery_add_numbered(&delivery, "neighbour", round, delivery.count, "s", "{\"a\": 1}");
		(void)delivery_add_numbered(&delivery, "neighbour", round, delivery.count, "t", "{\"a\": 1}");
	}
	delivery_send_until_settled(&delivery);
	struct store_image image = store_read(check, bench);
	for (size_t i = 0; i < delivery.count; i++) {
		if (i >= 3 && i % 3 == 0) {
			judge_suspect(&delivery, &image, i, suspects[first + i / 3 - 1].name);
			continue;
		}
		check_that(check, delivery.verdicts[i] == SLUICE_PASS && store_count(&image, delivery.events[i]) == 1,
		           "a plain event in a batch with %s: got %s (%s), and is in the store %zu times",
		           suspects[first].name, verdict_name(delivery.verdicts[i]), bench_detail(delivery.events[i]),
		           store_count(&image, delivery.events[i]));
	}
	store_image_finish(&image);
	delivery_end(&delivery);
}

void persist_isolates_poison(struct check *check)
{
	struct bench *bench = check_open(check);
	for (size_t s = 0; s < SUSPECTS; s++)
		store_among_neighbours(check, bench, s, s, s);
	store_among_neighbours(check, bench, SUSPECTS, 0, SUSPECTS - 1);
	bench_close(bench);
	store_expect_audited(check);
}
