/*
 * What a durable queue stage promises: that its next life goes on where this one ends, however it ends.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conform/suite_queue.h"
#include "runtime/abi.h"

enum { SOME = 64, PUT_MAX = 5000 };

/* A life that puts events, counts those that passed where its end does not reach, and waits for it. */
static int put_and_count(struct check *check, int out, void *context)
{
	atomic_size_t *passed = context;
	struct bench *bench = queue_open_empty(check);
	for (int64_t i = 0; i < PUT_MAX; i++) {
		struct sluice_event *event = queue_make(bench, "s", i);
		if (queue_put(check, bench, event) == SLUICE_RETRY)
			break;
		event->acknowledged = true;
		atomic_fetch_add(passed, 1);
		if (i == SOME && write(out, "+", 1) != 1)
			return 1;
	}
	for (;;)
		(void)pause();
}

static void wait_for_word(struct check *check, int in, void *context)
{
	char byte;
	(void)check, (void)context;
	(void)!read(in, &byte, 1);
}

void queue_survives_kill(struct check *check)
{
	atomic_size_t *passed = mmap(NULL, sizeof(*passed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check_that(check, passed != MAP_FAILED, "no memory");
	int end = check_in_process(check, put_and_count, passed, wait_for_word);
	check_that(check, end > 256, "the process that put events exited with %d before it was killed", end);
	struct bench *bench = queue_start(check, check_open(check));
	struct sluice_event *event;
	int64_t count = 0;
	while (queue_take(bench, &event, 1) == 1) {
		check_that(check, event->sequence == count, "after the crash: expected event %lld next, got event %lld",
		           (long long)count, (long long)event->sequence);
		count++;
		queue_finish_and_free(bench, &event, 1);
	}
	check_that(check, (size_t)count >= atomic_load(passed),
	           "put() had passed %zu events when the process was killed, and %lld are recovered",
	           atomic_load(passed), (long long)count);
	bench_close(bench);
}

/* A life that ends in order: the even ones are through, the odd ones were done with RETRY. */
static void live_once(struct check *check)
{
	struct bench *bench = queue_open_empty(check);
	struct sluice_event *events[SOME];
	for (int i = 0; i < SOME; i++)
		queue_must_put(check, bench, queue_make(bench, "s", i));
	queue_take_numbers(check, bench, events, SOME, 0);
	for (int i = 0; i < SOME; i++) {
		events[i]->acknowledged = true;
		queue_finish(bench, events[i], i % 2 ? SLUICE_RETRY : SLUICE_PASS);
		bench_free(events[i]);
	}
	bench_close(bench);
}

void queue_forgets_what_is_done(struct check *check)
{
	live_once(check);
	struct bench *bench = queue_start(check, check_open(check));
	struct sluice_event *event;
	while (queue_take(bench, &event, 1) == 1) {
		check_that(check, event->sequence % 2 == 1, "event %lld was done with PASS, and is recovered",
		           (long long)event->sequence);
		queue_finish_and_free(bench, &event, 1);
	}
	bench_close(bench);
}

void queue_keeps_what_is_retried(struct check *check)
{
	live_once(check);
	struct bench *bench = queue_start(check, check_open(check));
	struct sluice_event *events[SOME / 2];
	for (size_t i = 0; i < SOME / 2; i++) {
		check_that(check, queue_take(bench, &events[i], 1) == 1,
		           "%d acknowledged events were done with RETRY, and %zu of them are recovered", SOME / 2, i);
		check_that(check, events[i]->sequence == (int64_t)(2 * i + 1),
		           "expected event %zu next, which was done with RETRY, got event %lld", 2 * i + 1,
		           (long long)events[i]->sequence);
	}
	queue_finish_and_free(bench, events, SOME / 2);
	bench_close(bench);
}

/* What a life before this one left: SOME acknowledged events, done with RETRY. */
static void leave_behind(struct check *check, void (*dress)(struct sluice_event *event))
{
	struct bench *bench = queue_open_empty(check);
	struct sluice_event *events[SOME];
	for (int i = 0; i < SOME; i++) {
		events[i] = queue_make(bench, "s", i);
		dress(events[i]);
		queue_must_put(check, bench, events[i]);
	}
	queue_take_numbers(check, bench, events, SOME, 0);
	for (int i = 0; i < SOME; i++) {
		events[i]->acknowledged = true;
		queue_finish(bench, events[i], SLUICE_RETRY);
		bench_free(events[i]);
	}
	bench_close(bench);
}

/* Odd in every field; the sequence stays what tells the place. */
static void dress_oddly(struct sluice_event *event)
{
	static const char payload[] = "a\0b\xff\n";
	struct sluice_bytes absent = {NULL, 0};
	event->received_at_ns = INT64_C(1700000000123456000) + event->sequence;
	event->payload = event->sequence % 3 ? sluice_copy(event, payload, sizeof(payload) - 1)
	                                     : sluice_copy(event, "", 0);
	event->body = event->payload;
	if (event->sequence % 2)
		event->stream = absent;
	event->event_type = event->sequence % 4 ? sluice_copy(event, "\xf0\x9f\x8c\x8a", 4) : sluice_copy(event, "", 0);
	event->request_id = sluice_copy(event, "conform-request", strlen("conform-request"));
}

static void dress_plainly(struct sluice_event *event)
{
	(void)event;
}

void queue_restores_all_fields(struct check *check)
{
	leave_behind(check, dress_oddly);
	struct bench *bench = queue_start(check, check_open(check));
	struct sluice_event *events[SOME];
	queue_take_numbers(check, bench, events, SOME, 0);
	for (int i = 0; i < SOME; i++) {
		struct sluice_event *model = queue_make(bench, "s", i);
		dress_oddly(model);
		const struct {
			const char *name;
			struct sluice_bytes is, was;
		} fields[] = {
			{"message_id", events[i]->message_id, model->message_id},
			{"event_type", events[i]->event_type, model->event_type},
			{"stream", events[i]->stream, model->stream},
			{"payload", events[i]->payload, model->payload},
			{"request_id", events[i]->request_id, model->request_id},
		};
		for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++)
			check_that(check, bench_same_bytes(fields[f].is, fields[f].was),
			           "event %d was recovered with another %s", i, fields[f].name);
		check_that(check, events[i]->received_at_ns / 1000 == model->received_at_ns / 1000,
		           "event %d was recovered with another received_at_ns", i);
		check_that(check, memcmp(sluice_digest(events[i]), sluice_digest(model), SLUICE_DIGEST_SIZE) == 0,
		           "event %d was recovered with another digest", i);
		bench_free(model);
	}
	queue_finish_and_free(bench, events, SOME);
	bench_close(bench);
}

void queue_yields_old_before_new(struct check *check)
{
	leave_behind(check, dress_plainly);
	struct bench *bench = queue_start(check, check_open(check));
	struct sluice_event *events[SOME + 1];
	queue_must_put(check, bench, queue_make(bench, "s", SOME));
	queue_take_numbers(check, bench, events, SOME + 1, 0);
	queue_finish_and_free(bench, events, SOME + 1);
	bench_close(bench);
}

/* A host whose pool of events is full for a while. */
static const struct sluice_host *true_host;
static atomic_int refusals_left;

static struct sluice_event *restore_later(struct sluice_stage *stage, const struct sluice_record *record)
{
	return atomic_fetch_sub(&refusals_left, 1) > 0 ? NULL : true_host->restore(stage, record);
}

void queue_waits_for_the_pool(struct check *check)
{
	leave_behind(check, dress_plainly);
	struct bench *bench = check_open(check);
	struct sluice_host host = *bench->stage.host;
	true_host = bench->stage.host;
	host.restore = restore_later;
	bench->stage.host = &host;
	(void)queue_start(check, bench);
	struct sluice_event *events[SOME];
	for (int i = 0; i < SOME; i++) {
		atomic_store(&refusals_left, i % 4);
		queue_take_numbers(check, bench, &events[i], 1, i);
	}
	queue_finish_and_free(bench, events, SOME);
	bench_close(bench);
}

static const struct sluice_queue_backlog *need_backlog(struct check *check)
{
	const struct sluice_queue_backlog *backlog = abi_backlog(check_ops(check));
	if (!backlog)
		check_skip(check, "it does not tell of its backlog (" SLUICE_QUEUE_BACKLOG ")");
	return backlog;
}

static void expect_count(struct check *check, struct bench *bench, size_t expected)
{
	size_t count = need_backlog(check)->count(&bench->stage);
	check_that(check, count == expected, "it has %zu events that are not done, and count() says %zu", expected,
	           count);
}

void queue_counts_its_backlog(struct check *check)
{
	const struct sluice_queue_backlog *backlog = need_backlog(check);
	leave_behind(check, dress_plainly);
	struct bench *bench = queue_start(check, check_open(check));
	struct sluice_event *events[SOME];
	const char *place = backlog->place(bench->stage.config);
	check_that(check, place && *place, "place() does not name where its events are");
	check_that(check, !backlog->exists(bench->stage.config),
	           "exists() says yes of events that a process has at hand");
	expect_count(check, bench, SOME);
	queue_take_numbers(check, bench, events, SOME, 0);
	expect_count(check, bench, SOME);
	queue_finish_and_free(bench, events, SOME / 2);
	expect_count(check, bench, SOME / 2);
	queue_finish_and_free(bench, events + SOME / 2, SOME / 2);
	expect_count(check, bench, 0);
	bench_close(bench);
}

static struct check *told_check;
static int64_t told;

static void hear(struct sluice_stage *stage, const struct sluice_record *record)
{
	(void)stage;
	check_that(told_check, record->sequence == told, "expected to be told of event %lld next, was told of %lld",
	           (long long)told, (long long)record->sequence);
	told++;
}

static const void *hearing(const char *id)
{
	static const struct sluice_acknowledged acknowledged = {.tell = hear};
	return strcmp(id, SLUICE_ACKNOWLEDGED) == 0 ? &acknowledged : NULL;
}

void queue_tells_of_its_backlog(struct check *check)
{
	(void)need_backlog(check);
	leave_behind(check, dress_plainly);
	struct bench *bench = check_open(check);
	struct sluice_host host = *bench->stage.host;
	host.extension = hearing;
	bench->stage.host = &host;
	told_check = check;
	told = 0;
	(void)queue_start(check, bench);
	check_that(check, told == SOME, "%d events are in the backlog, and recover() told of %lld", SOME,
	           (long long)told);
	struct sluice_event *events[SOME];
	queue_take_numbers(check, bench, events, SOME, 0);
	queue_finish_and_free(bench, events, SOME);
	bench_close(bench);
}
