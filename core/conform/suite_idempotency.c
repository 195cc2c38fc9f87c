/*
 * What an idempotency stage promises: of all events with one id, one is in flight, and the others share its fate.
 */
#include <math.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "conform/concurrent.h"
#include "conform/model.h"
#include "conform/suite_idempotency.h"
#include "yaml/option.h"

enum {
	WAITERS = 5,
	THREADS = 8,
	ROUNDS = 200,
	IDS = 40,
	TOGETHER = 48,
	TOGETHER_ROUNDS = 8,
	CAPACITY = 8,
	RESUME_TIMEOUT_S = 5
};

static const enum sluice_verdict failures[] = {SLUICE_RETRY, SLUICE_FAIL, SLUICE_REJECT};

void idempotency_end(struct check *check, struct bench *bench, struct sluice_event *event, enum sluice_verdict verdict)
{
	struct bench *store = check_store(check);
	if (store && (verdict == SLUICE_PASS || verdict == SLUICE_DONE))
		(void)bench_process(store, event);
	bench_settle(bench, event, verdict);
}

struct sluice_event *idempotency_event(struct check *check, struct bench *bench, const char *id, const char *content)
{
	char own[SLUICE_NAME_MAX + 1];
	(void)snprintf(own, sizeof(own), "%llx-%s", check_unique(check), id);
	struct sluice_event *event = bench_event(bench);
	bench_set_body(event, content, strlen(content));
	bench_set_fields(event, own, "type", NULL, content);
	return event;
}

void idempotency_expect(struct check *check, enum sluice_verdict seen, enum sluice_verdict expected, const char *what)
{
	check_that(check, seen == expected, "%s: expected %s, got %s", what, verdict_name(expected),
	           verdict_name(seen));
}

enum sluice_verdict idempotency_send(struct check *check, struct bench *bench, const char *id, const char *content,
                                     enum sluice_verdict last)
{
	struct sluice_event *event = idempotency_event(check, bench, id, content);
	enum sluice_verdict verdict = bench_process(bench, event);
	check_that(check, verdict != SLUICE_WAIT, "process() returned WAIT, and no event of that id is in flight");
	idempotency_end(check, bench, event, verdict == SLUICE_PASS ? last : verdict);
	return verdict;
}

enum sluice_verdict idempotency_wait(struct check *check, struct sluice_event *event, const char *what)
{
	enum sluice_verdict verdict = SLUICE_FAIL;
	check_that(check, bench_wait_resumed(event, RESUME_TIMEOUT_S * NS_PER_S, &verdict),
	           "%s: expected a resume, got none in %d s", what, RESUME_TIMEOUT_S);
	return verdict;
}

static void first_passes(struct check *check)
{
	static const char *const ids[] = {"a", "A", "aa", "a ", "b", "a\n", "é", "e\xcc\x81"};
	struct bench *bench = check_open(check);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		idempotency_expect(check, idempotency_send(check, bench, ids[i], CONTENT, SLUICE_PASS), SLUICE_PASS,
		                   "the first event of an id");
	char longest[220];
	for (int last = 'x'; last <= 'z'; last++) {
		memset(longest, 'l', sizeof(longest));
		longest[sizeof(longest) - 2] = (char)last;
		longest[sizeof(longest) - 1] = '\0';
		idempotency_expect(check, idempotency_send(check, bench, longest, CONTENT, SLUICE_PASS), SLUICE_PASS,
		                   "the second of two long ids that differ in their last byte");
	}
}

static void duplicate(struct check *check)
{
	struct bench *bench = check_open(check);
	static const enum sluice_verdict ends[] = {SLUICE_PASS, SLUICE_DONE};
	for (size_t i = 0; i < 2; i++) {
		const char *id = i ? "stored before" : "stored";
		idempotency_expect(check, idempotency_send(check, bench, id, CONTENT, ends[i]), SLUICE_PASS,
		                   "the first event of an id");
		for (int again = 0; again < 3; again++)
			idempotency_expect(check, idempotency_send(check, bench, id, CONTENT, SLUICE_PASS), SLUICE_DONE,
			                   "an exact duplicate of a stored event");
	}
}

/* An event that differs from the first in nothing but one field. */
static struct sluice_event *variant(struct check *check, struct bench *bench, int which)
{
	struct sluice_event *event = idempotency_event(check, bench, "conflict", which == 0 ? OTHER_CONTENT : CONTENT);
	if (which == 1)
		event->event_type = (struct sluice_bytes){"typo", 4};
	if (which == 2)
		event->stream = (struct sluice_bytes){"stream", 6};
	if (which == 3) {
		event->sequence = 1;
		event->has_sequence = true;
	}
	return event;
}

void idempotency_expect_conflict(struct check *check, const struct sluice_event *event, enum sluice_verdict verdict,
                                 const char *difference)
{
	check_that(check, verdict == SLUICE_REJECT && bench_conflicts(event),
	           "a stored id with %s: expected a conflict, got %s with %d: see sluice_conflict()", difference,
	           verdict_name(verdict), bench_status(event));
}

static void conflict(struct check *check)
{
	static const char *const what[] = {"another payload", "another event type", "another stream",
	                                   "another sequence"};
	struct bench *bench = check_open(check);
	(void)idempotency_send(check, bench, "conflict", CONTENT, SLUICE_PASS);
	for (int i = 0; i < 4; i++) {
		struct sluice_event *event = variant(check, bench, i);
		enum sluice_verdict verdict = bench_process(bench, event);
		idempotency_expect_conflict(check, event, verdict, what[i]);
		idempotency_end(check, bench, event, verdict);
	}
	idempotency_expect(check, idempotency_send(check, bench, "conflict", CONTENT, SLUICE_PASS), SLUICE_DONE,
	                   "an exact duplicate after conflicts");
}

/* A first event in flight and some behind it. */
struct flight {
	struct sluice_event *first, *waiters[WAITERS];
};

static struct flight take_off(struct check *check, struct bench *bench, const char *id)
{
	struct flight flight = {.first = idempotency_event(check, bench, id, CONTENT)};
	idempotency_expect(check, bench_process(bench, flight.first), SLUICE_PASS, "the first event of an id");
	for (size_t i = 0; i < WAITERS; i++) {
		flight.waiters[i] = idempotency_event(check, bench, id, CONTENT);
		idempotency_expect(check, bench_process(bench, flight.waiters[i]), SLUICE_WAIT,
		                   "a duplicate of an event in flight");
	}
	return flight;
}

static void one_in_flight(struct check *check)
{
	struct bench *bench = check_open(check);
	struct flight flight = take_off(check, bench, "flight");
	struct sluice_event *other = idempotency_event(check, bench, "flight", OTHER_CONTENT);
	enum sluice_verdict verdict = bench_process(bench, other);
	check_that(check, verdict != SLUICE_PASS && verdict != SLUICE_DONE,
	           "an event with the id of one in flight and other content: expected WAIT or a conflict, got %s",
	           verdict_name(verdict));
	for (size_t i = 0; i < WAITERS; i++)
		check_that(check, bench_resumes(flight.waiters[i]) == 0,
		           "a duplicate was resumed before the first event was settled");
	idempotency_expect(check, idempotency_send(check, bench, "another", CONTENT, SLUICE_PASS), SLUICE_PASS,
	                   "another id meanwhile");
}

/* Nobody is resumed again, whatever comes later. */
static void expect_resumed_once(struct check *check, const struct flight *flight)
{
	for (size_t i = 0; i < WAITERS; i++)
		check_that(check, bench_resumes(flight->waiters[i]) == 1,
		           "an event was resumed %u times, expected once", bench_resumes(flight->waiters[i]));
}

static void waiters_share_fate(struct check *check)
{
	struct bench *bench = check_open(check);
	struct flight flight = take_off(check, bench, "stored");
	struct sluice_event *other = idempotency_event(check, bench, "stored", OTHER_CONTENT);
	bool parked = bench_process(bench, other) == SLUICE_WAIT;
	idempotency_end(check, bench, flight.first, SLUICE_PASS);
	for (size_t i = 0; i < WAITERS; i++)
		idempotency_expect(
			check, idempotency_wait(check, flight.waiters[i], "a waiting duplicate of an event now stored"),
			SLUICE_DONE, "a waiting duplicate of an event now stored");
	if (parked) {
		enum sluice_verdict verdict = idempotency_wait(check, other, "a waiting event that conflicts with it");
		idempotency_expect_conflict(check, other, verdict, "other content, which waited");
	}
	expect_resumed_once(check, &flight);
	for (size_t i = 0; i < WAITERS && check_ops(check)->settle; i++)
		check_ops(check)->settle(&bench->stage, flight.waiters[i], SLUICE_DONE);
	expect_resumed_once(check, &flight);
	idempotency_expect(check, idempotency_send(check, bench, "stored", CONTENT, SLUICE_PASS), SLUICE_DONE,
	                   "a duplicate afterwards");
}

/* The index of the one waiter that is resumed with PASS while all others stay. */
static size_t find_heir(struct check *check, const struct flight *flight, const bool *gone)
{
	size_t heir = WAITERS, count = 0;
	for (int64_t until = clock_now_ns() + RESUME_TIMEOUT_S * NS_PER_S; !count && clock_now_ns() < until;) {
		for (size_t i = 0; i < WAITERS; i++) {
			enum sluice_verdict verdict;
			if (gone[i] || !bench_wait_resumed(flight->waiters[i], NS_PER_MS, &verdict))
				continue;
			idempotency_expect(check, verdict, SLUICE_PASS,
			                   "a duplicate that takes the place of a failed event");
			heir = i;
			count++;
		}
	}
	check_that(check, count > 0,
	           "the first event failed: expected one waiting duplicate to take its place, none did");
	check_that(check, count == 1,
	           "the first event failed: expected one waiting duplicate to take its place, %zu did", count);
	return heir;
}

static void heir(struct check *check)
{
	struct bench *bench = check_open(check);
	struct flight flight = take_off(check, bench, "heir");
	bool gone[WAITERS] = {false};
	struct sluice_event *current = flight.first;
	for (size_t round = 0; round < sizeof(failures) / sizeof(failures[0]); round++) {
		idempotency_end(check, bench, current, failures[round]);
		size_t next = find_heir(check, &flight, gone);
		gone[next] = true;
		current = flight.waiters[next];
	}
	idempotency_end(check, bench, current, SLUICE_PASS);
	for (size_t i = 0; i < WAITERS; i++) {
		if (gone[i])
			continue;
		idempotency_expect(
			check, idempotency_wait(check, flight.waiters[i], "a duplicate behind an heir that is stored"),
			SLUICE_DONE, "a duplicate behind an heir that is stored");
		check_that(check, bench_resumes(flight.waiters[i]) == 1, "an event was resumed %u times, expected once",
		           bench_resumes(flight.waiters[i]));
	}
}

static void released(struct check *check)
{
	struct bench *bench = check_open(check);
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		char what[64];
		(void)snprintf(what, sizeof(what), "after an event of the id ended with %s", verdict_name(failures[i]));
		(void)idempotency_send(check, bench, "released", CONTENT, failures[i]);
		struct sluice_event *event = idempotency_event(check, bench, "released", CONTENT);
		idempotency_expect(check, bench_process(bench, event), SLUICE_PASS, what);
		idempotency_end(check, bench, event, SLUICE_FAIL);
	}
	idempotency_expect(check, idempotency_send(check, bench, "released", OTHER_CONTENT, SLUICE_PASS), SLUICE_PASS,
	                   "other content after a failure");
}

/* Many threads send one id; those in flight at the same time are counted. */
struct rush {
	struct check *check;
	struct bench *bench;
	atomic_int in_flight;
};

static void hold(struct rush *rush, struct sluice_event *event)
{
	int others = atomic_fetch_add(&rush->in_flight, 1);
	check_that(rush->check, others == 0, "%d events of one id were in flight at once", others + 1);
	(void)sched_yield();
	atomic_fetch_sub(&rush->in_flight, 1);
	idempotency_end(rush->check, rush->bench, event, SLUICE_FAIL);
}

static void send_many(void *context, unsigned number)
{
	struct rush *rush = context;
	for (unsigned i = 0; i < ROUNDS; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "rush-%u", i);
		struct sluice_event *event = idempotency_event(rush->check, rush->bench, id, CONTENT);
		enum sluice_verdict verdict = bench_process(rush->bench, event);
		if (verdict == SLUICE_WAIT)
			verdict = idempotency_wait(rush->check, event, "on several threads at once");
		check_that(rush->check, verdict == SLUICE_PASS || verdict == SLUICE_DONE,
		           "on %d threads at once: expected PASS or DONE, got %s", THREADS, verdict_name(verdict));
		/* On every other thread the event is stored. */
		idempotency_end(rush->check, rush->bench, event,
		                verdict == SLUICE_PASS && number % 2 ? SLUICE_FAIL : verdict);
	}
}

static void send_the_same(void *context, unsigned number)
{
	struct rush *rush = context;
	(void)number;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct sluice_event *event = idempotency_event(rush->check, rush->bench, "same", CONTENT);
		enum sluice_verdict verdict = bench_process(rush->bench, event);
		if (verdict == SLUICE_WAIT)
			verdict = idempotency_wait(rush->check, event, "on several threads at once");
		if (verdict == SLUICE_PASS)
			hold(rush, event);
		else
			idempotency_end(rush->check, rush->bench, event, verdict);
	}
}

/* Events of many ids, all of which end at once; every third is not stored. */
static void settle_together(void *context, unsigned number)
{
	struct rush *rush = context;
	struct sluice_event *events[TOGETHER];
	for (unsigned round = 0; round < TOGETHER_ROUNDS; round++) {
		for (unsigned i = 0; i < TOGETHER; i++) {
			char id[48];
			(void)snprintf(id, sizeof(id), "together-%u-%u-%u", number, round, i);
			events[i] = idempotency_event(rush->check, rush->bench, id, CONTENT);
			idempotency_expect(rush->check, bench_process(rush->bench, events[i]), SLUICE_PASS,
			                   "on several threads at once, the first event of an id");
		}
		concurrent_meet();
		for (unsigned i = 0; i < TOGETHER && check_ops(rush->check)->settle; i++)
			check_ops(rush->check)
				->settle(&rush->bench->stage, events[i], i % 3 ? SLUICE_PASS : SLUICE_FAIL);
		concurrent_meet();
		for (unsigned i = 0; i < TOGETHER; i++)
			bench_free(events[i]);
	}
}

static void expect_settled(struct rush *rush)
{
	for (unsigned number = 0; number < THREADS; number++) {
		for (unsigned i = 0; i < TOGETHER * TOGETHER_ROUNDS; i++) {
			char id[48];
			(void)snprintf(id, sizeof(id), "together-%u-%u-%u", number, i / TOGETHER, i % TOGETHER);
			idempotency_expect(rush->check,
			                   idempotency_send(rush->check, rush->bench, id, CONTENT, SLUICE_PASS),
			                   i % TOGETHER % 3 ? SLUICE_DONE : SLUICE_PASS,
			                   "after several threads had settled events at once, the next of its id");
		}
	}
}

static void many_threads(struct check *check)
{
	struct rush rush = {.check = check, .bench = check_open(check)};
	concurrent_collide(check, THREADS, send_the_same, &rush);
	concurrent_collide(check, THREADS, send_many, &rush);
	if (!check_store(check)) {
		concurrent_collide(check, THREADS, settle_together, &rush);
		expect_settled(&rush);
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "rush-%u", i);
		idempotency_expect(check, idempotency_send(check, rush.bench, id, CONTENT, SLUICE_PASS), SLUICE_DONE,
		                   "a duplicate of an event that several threads sent and one stored");
	}
}

static void need_option(struct check *check, const char *name)
{
	if (!option_find(check_ops(check)->options, name))
		check_skip(check, "it has no option %s", name);
}

static void expiry(struct check *check)
{
	need_option(check, "ttl");
	bench_set_clock(INT64_C(1700000000) * NS_PER_S);
	struct bench *bench = check_open_with(check, (const char *const[]){"ttl=60s", NULL});
	struct sluice_event *in_flight = idempotency_event(check, bench, "in flight", CONTENT);
	idempotency_expect(check, bench_process(bench, in_flight), SLUICE_PASS, "the first event of an id");
	(void)idempotency_send(check, bench, "stored", CONTENT, SLUICE_PASS);
	bench_advance_clock(59 * NS_PER_S);
	idempotency_expect(check, idempotency_send(check, bench, "stored", CONTENT, SLUICE_PASS), SLUICE_DONE,
	                   "with ttl=60s, after 59 s");
	for (int i = 0; i < IDS; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "expires-%d", i);
		(void)idempotency_send(check, bench, id, CONTENT, SLUICE_PASS);
	}
	bench_advance_clock(62 * NS_PER_S);
	if (check_ops(check)->tick)
		check_that(check, check_ops(check)->tick(&bench->stage) > 0,
		           "tick() with ids that have expired: expected a time above 0 until the next call");
	idempotency_expect(check, idempotency_send(check, bench, "stored", CONTENT, SLUICE_PASS), SLUICE_PASS,
	                   "with ttl=60s, after 121 s");
	struct sluice_event *late = idempotency_event(check, bench, "in flight", CONTENT);
	check_that(check, bench_process(bench, late) != SLUICE_PASS, "the claim of an event in flight has expired");
}

static void capacity(struct check *check)
{
	need_option(check, "capacity");
	struct bench *bench = check_open_with(check, (const char *const[]){"capacity=8", NULL});
	struct sluice_event *in_flight[IDS];
	char id[32];
	for (int i = 0; i < IDS; i++) {
		(void)snprintf(id, sizeof(id), "flight-%d", i);
		in_flight[i] = idempotency_event(check, bench, id, CONTENT);
		enum sluice_verdict verdict = bench_process(bench, in_flight[i]);
		check_that(check, verdict == SLUICE_PASS || verdict == SLUICE_RETRY,
		           "at its capacity: expected PASS or RETRY, got %s", verdict_name(verdict));
		if (verdict == SLUICE_RETRY)
			continue;
		struct sluice_event *twin = idempotency_event(check, bench, id, CONTENT);
		check_that(check, bench_process(bench, twin) != SLUICE_PASS, "with capacity=8, claim %d was dropped",
		           i);
	}
	struct bench *other = check_open_with(check, (const char *const[]){"capacity=8", NULL});
	for (int i = 0; i < IDS; i++) {
		(void)snprintf(id, sizeof(id), "stored-%d", i);
		idempotency_expect(check, idempotency_send(check, other, id, CONTENT, SLUICE_PASS), SLUICE_PASS,
		                   "a new id beyond its capacity");
	}
	for (int i = IDS - CAPACITY; i < IDS; i++) {
		(void)snprintf(id, sizeof(id), "stored-%d", i);
		idempotency_expect(check, idempotency_send(check, other, id, CONTENT, SLUICE_PASS), SLUICE_DONE,
		                   "one of the newest ids within its capacity");
	}
	idempotency_expect(check, idempotency_send(check, other, "stored-0", CONTENT, SLUICE_PASS), SLUICE_PASS,
	                   "the oldest of five times its capacity");
}

/* What was learnt of the store before the doubt is for the store to decide; who waits goes on waiting. */
static void store_doubted(struct check *check)
{
	struct bench *bench = check_open(check);
	if (check_store(check))
		check_skip(check, "it asks the store");
	struct flight flight = take_off(check, bench, "flight");
	(void)idempotency_send(check, bench, "stored", CONTENT, SLUICE_PASS);
	(void)idempotency_send(check, bench, "other", CONTENT, SLUICE_PASS);
	bench_doubt_store();
	idempotency_expect(check, idempotency_send(check, bench, "stored", CONTENT, SLUICE_DONE), SLUICE_PASS,
	                   "a duplicate of an event stored before the store came into doubt");
	idempotency_expect(check, idempotency_send(check, bench, "stored", CONTENT, SLUICE_PASS), SLUICE_DONE,
	                   "a duplicate of an event that the store has confirmed since");
	idempotency_expect(check, idempotency_send(check, bench, "other", OTHER_CONTENT, SLUICE_REJECT), SLUICE_PASS,
	                   "other content for an id stored before the store came into doubt");
	idempotency_expect(check, bench_process(bench, idempotency_event(check, bench, "flight", CONTENT)), SLUICE_WAIT,
	                   "a duplicate of an event in flight while the store is in doubt");
	idempotency_end(check, bench, flight.first, SLUICE_PASS);
	for (size_t i = 0; i < WAITERS; i++)
		idempotency_expect(check,
		                   idempotency_wait(check, flight.waiters[i],
		                                    "a waiting duplicate after the store came into doubt"),
		                   SLUICE_DONE, "a waiting duplicate after the store came into doubt");
	idempotency_expect(check, idempotency_send(check, bench, "flight", CONTENT, SLUICE_DONE), SLUICE_PASS,
	                   "a duplicate of an event that was in flight when the store came into doubt");
}

static void expect_gauge(struct check *check, struct bench *bench, const char *name, const char *state, double expected)
{
	double value = bench_gauge(bench, name, state);
	check_that(check, isnan(value) || value == expected, "the gauge %s%s%s: expected %g, got %g", name,
	           state ? " " : "", state ? state : "", expected, value);
}

/* Those who look at a dashboard take it for the same whatever the stage. */
static void shows_what_is_inside(struct check *check)
{
	struct bench *bench = check_open(check);
	if (isnan(bench_gauge(bench, "idempotency_entries", "in_flight")))
		check_skip(check, "it has no gauge idempotency_entries");
	struct flight flight = take_off(check, bench, "one"), other = take_off(check, bench, "other");
	expect_gauge(check, bench, "idempotency_entries", "in_flight", 2);
	expect_gauge(check, bench, "idempotency_waiting", NULL, 2 * WAITERS);
	idempotency_end(check, bench, flight.first, SLUICE_PASS);
	expect_gauge(check, bench, "idempotency_entries", "in_flight", 1);
	expect_gauge(check, bench, "idempotency_waiting", NULL, WAITERS);
	idempotency_end(check, bench, other.first, SLUICE_FAIL);
	expect_gauge(check, bench, "idempotency_entries", "in_flight", 1);
	expect_gauge(check, bench, "idempotency_waiting", NULL, WAITERS - 1);
	bool gone[WAITERS] = {false};
	for (size_t left = WAITERS; left > 0; left--) {
		size_t next = find_heir(check, &other, gone);
		gone[next] = true;
		idempotency_end(check, bench, other.waiters[next], SLUICE_RETRY);
	}
	expect_gauge(check, bench, "idempotency_entries", "in_flight", 0);
	expect_gauge(check, bench, "idempotency_waiting", NULL, 0);
	if (!check_store(check) && !idempotency_has_place(check) && !check_option(check, "url"))
		expect_gauge(check, bench, "idempotency_entries", "kept", 1);
}

/* Who has been resumed is in other hands at once, and may have ended. */
static void lets_go_of_the_resumed(struct check *check)
{
	struct bench *bench = check_open(check);
	struct flight stored = take_off(check, bench, "stored"), failed = take_off(check, bench, "failed");
	int64_t until_ns = clock_now_ns() + RESUME_TIMEOUT_S * NS_PER_S;
	unsigned count = bench_end_resumed();
	idempotency_end(check, bench, stored.first, SLUICE_PASS);
	idempotency_end(check, bench, failed.first, SLUICE_FAIL);
	while ((count += bench_end_resumed()) < WAITERS + 1 && clock_now_ns() < until_ns)
		(void)sched_yield();
	check_that(check, count == WAITERS + 1,
	           "an event was stored for which %d waited, and one failed: expected %d resumes, got %u", WAITERS,
	           WAITERS + 1, count);
}

static void without_id(struct check *check)
{
	struct bench *bench = check_open(check);
	for (int i = 0; i < 2; i++) {
		struct sluice_event *event = bench_event(bench);
		bench_set_body(event, CONTENT, strlen(CONTENT));
		enum sluice_verdict verdict = bench_process(bench, event);
		check_that(check, verdict != SLUICE_WAIT && verdict != SLUICE_DONE,
		           "a second event without an id: expected no WAIT and no DONE, got %s", verdict_name(verdict));
		if (i == 0) /* and still in flight */
			continue;
		idempotency_end(check, bench, event, verdict);
	}
}

static void follows_its_model(struct check *check)
{
	size_t scripts = check_effort(check, 50, 1200, 100000);
	model_check(check, &model_of_idempotency, check_option(check, "url") ? scripts / 50 : scripts);
}

const struct check_entry suite_idempotency[] = {
	{"first-passes", "the first event of an id passes, however similar the ids", first_passes, 0},
	{"duplicate", "an exact duplicate of a stored event is DONE", duplicate, 0},
	{"conflict", "a stored id with other content is a conflict, and changes nothing", conflict, 0},
	{"one-in-flight", "while an event is in flight, its duplicates wait", one_in_flight, 0},
	{"shared-fate", "when it is stored, each of its duplicates is resumed once, with DONE", waiters_share_fate, 0},
	{"heir", "when it fails, one of its duplicates takes its place", heir, 0},
	{"heir-content", "what takes its place is stored with its own content", idempotency_heir_has_its_own_content,
         0},
	{"released", "when it fails, the next event of its id passes", released, 0},
	{"many-threads", "on several threads at once, one event of an id is in flight", many_threads, 0},
	{"expiry", "a stored id is remembered for its ttl and no longer; a claim never expires", expiry, 0},
	{"capacity", "the newest stored ids are remembered, and no claim is dropped", capacity, 0},
	{"remembers", "one that has a place, or asks a store, knows the stored ids after a restart",
         idempotency_remembers, 0},
	{"clock-jumps", "however the wall clock is set, a stored id is remembered for its ttl",
         idempotency_ignores_the_clocks, 0},
	{"older-copy", "with its files replaced by an older copy, what that lacks passes",
         idempotency_starts_from_an_older_copy, 0},
	{"read-error", "while it cannot read what is stored, no duplicate passes", idempotency_cannot_read, 0},
	{"store-doubted", "in a new epoch of the store a remembered id passes, so that the store decides",
         store_doubted, 0},
	{"stored-before", "what the store has when it starts is a duplicate, from its first event on",
         idempotency_stored_before, CHECK_NEEDS_STORE},
	{"stored-unheard", "what was stored is a duplicate, also where it heard that its event had failed",
         idempotency_stored_unheard, CHECK_NEEDS_STORE},
	{"stored-elsewhere", "in a new epoch of the store, what others have stored in it is a duplicate",
         idempotency_stored_elsewhere, CHECK_NEEDS_STORE},
	{"store-lacks", "in a new epoch of the store, an id that it lacks passes", idempotency_store_lacks,
         CHECK_NEEDS_STORE},
	{"model", "after any operations it says what a model of it says", follows_its_model, 0},
	{"resumed-is-gone", "an event that it has resumed is not touched again", lets_go_of_the_resumed, 0},
	{"gauges", "its gauges show what is in flight and what waits", shows_what_is_inside, 0},
	{"without-id", "events without an id are not duplicates of each other", without_id, 0},
	{NULL, NULL, NULL, 0},
};
