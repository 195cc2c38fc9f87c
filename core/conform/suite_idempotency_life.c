/*
 * What an idempotency stage promises of fates that change: an heir with a content of its own, a restart, a place that
 * cannot be read or was replaced by an older copy, clocks that are set.
 */
#include <stdio.h>

#include "base/clock.h"
#include "conform/disk.h"
#include "conform/suite_idempotency.h"
#include "conform/world.h"
#include "yaml/option.h"

#define DAY_NS (INT64_C(86400) * NS_PER_S)

enum { HEIRS = 4, IDS = 20, HEIR_TIMEOUT_S = 5, START_S = 1700000000, TTL_S = 60 };

/* The index of the one that is resumed with PASS. */
static size_t find_heir(struct check *check, struct sluice_event *const *waiters)
{
	int64_t until_ns = clock_now_ns() + HEIR_TIMEOUT_S * NS_PER_S;
	while (clock_now_ns() < until_ns) {
		for (size_t i = 0; i < HEIRS; i++) {
			enum sluice_verdict verdict;
			if (!bench_wait_resumed(waiters[i], NS_PER_MS, &verdict))
				continue;
			idempotency_expect(check, verdict, SLUICE_PASS,
			                   "an event that takes the place of a failed one");
			return i;
		}
	}
	check_fail(check, __FILE__, __LINE__,
	           "the first event failed: expected one that waits to take its place, none did");
}

/* One with other content waits first, so that it is the heir where they stand in a row. */
void idempotency_heir_has_its_own_content(struct check *check)
{
	static const char *const contents[HEIRS] = {OTHER_CONTENT, CONTENT, OTHER_CONTENT, CONTENT};
	struct bench *bench = check_open(check);
	struct sluice_event *first = idempotency_event(check, bench, "heir", CONTENT), *waiters[HEIRS];
	idempotency_expect(check, bench_process(bench, first), SLUICE_PASS, "the first event of an id");
	for (size_t i = 0; i < HEIRS; i++) {
		waiters[i] = idempotency_event(check, bench, "heir", contents[i]);
		if (bench_process(bench, waiters[i]) != SLUICE_WAIT)
			check_skip(check, "an event with other content than the one in flight does not wait");
	}
	idempotency_end(check, bench, first, SLUICE_FAIL);
	size_t heir = find_heir(check, waiters);
	idempotency_end(check, bench, waiters[heir], SLUICE_PASS);
	for (size_t i = 0; i < HEIRS; i++) {
		if (i == heir)
			continue;
		enum sluice_verdict verdict = idempotency_wait(check, waiters[i],
		                                               "an event behind an heir that is stored");
		if (contents[i] == contents[heir])
			idempotency_expect(check, verdict, SLUICE_DONE,
			                   "an event with the content of the heir, which is stored");
		else
			idempotency_expect_conflict(check, waiters[i], verdict,
			                            "other content than the heir, which is stored");
	}
	const char *lost = contents[heir] == contents[0] ? contents[1] : contents[0];
	idempotency_expect(check, idempotency_send(check, bench, "heir", contents[heir], SLUICE_PASS), SLUICE_DONE,
	                   "a duplicate of the heir, which is stored");
	idempotency_expect(check, idempotency_send(check, bench, "heir", lost, SLUICE_PASS), SLUICE_REJECT,
	                   "an event with the content of the one that failed, while that of its heir is stored");
}

bool idempotency_has_place(struct check *check)
{
	const struct sluice_option *option = check_ops(check)->options;
	for (; option->type != SLUICE_TYPE_END; option++) {
		if (option->flags & (SLUICE_OPTION_LOCATION | SLUICE_OPTION_FILE))
			return true;
	}
	return check_store(check) != NULL;
}

static void store_some(struct check *check, struct bench *bench)
{
	for (int i = 0; i < IDS; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "stored-%d", i);
		idempotency_expect(check, idempotency_send(check, bench, id, CONTENT, SLUICE_PASS), SLUICE_PASS,
		                   "the first event of an id");
	}
}

void idempotency_remembers(struct check *check)
{
	struct bench *bench = check_open(check);
	if (!idempotency_has_place(check))
		check_skip(check, "it has no option with SLUICE_OPTION_LOCATION or SLUICE_OPTION_FILE, and no --store");
	for (int life = 0; life < 3; life++) {
		char id[32];
		if (life == 0)
			store_some(check, bench);
		for (int i = 0; i < IDS; i++) {
			(void)snprintf(id, sizeof(id), "stored-%d", i);
			idempotency_expect(check, idempotency_send(check, bench, id, CONTENT, SLUICE_PASS), SLUICE_DONE,
			                   life ? "a duplicate of an event stored before a restart" : "a duplicate");
		}
		idempotency_expect(check, idempotency_send(check, bench, "stored-0", OTHER_CONTENT, SLUICE_PASS),
		                   SLUICE_REJECT, "other content for an id that is stored");
		bench_close(bench);
		bench = check_open(check);
	}
	bench_close(bench);
}

void idempotency_cannot_read(struct check *check)
{
	disk_remember();
	struct bench *bench = check_open(check);
	store_some(check, bench);
	bench_close(bench);
	bench = check_open(check);
	disk_break(DISK_EIO_READ, 1);
	for (int i = 0; i < IDS; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "stored-%d", i);
		enum sluice_verdict verdict = idempotency_send(check, bench, id, CONTENT, SLUICE_FAIL);
		bool has_failed = disk_mend();
		if (!has_failed)
			check_skip(check, "it reads no file while it processes an event");
		check_that(
			check, verdict != SLUICE_PASS,
			"it could not read its file (EIO), and a duplicate of a stored event passed: expected RETRY");
		disk_break(DISK_EIO_READ, 1);
	}
	(void)disk_mend();
	for (int i = 0; i < IDS; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "stored-%d", i);
		idempotency_expect(check, idempotency_send(check, bench, id, CONTENT, SLUICE_PASS), SLUICE_DONE,
		                   "a duplicate, once its file can be read again");
	}
	bench_close(bench);
}

/* A ttl is a duration: it is measured by the host's monotonic clock, and a day that was set is none that has passed. */
void idempotency_ignores_the_clocks(struct check *check)
{
	static const int64_t jumps_ns[] = {2 * DAY_NS, -4 * DAY_NS, 400 * DAY_NS};
	bool has_ttl = option_find(check_ops(check)->options, "ttl") != NULL;
	const char *const extra[] = {has_ttl ? "ttl=60s" : NULL, NULL};
	bench_set_clock(INT64_C(1) * START_S * NS_PER_S);
	struct bench *bench = check_open_with(check, extra);
	struct sluice_event *in_flight = idempotency_event(check, bench, "in flight", CONTENT);
	idempotency_expect(check, bench_process(bench, in_flight), SLUICE_PASS, "the first event of an id");
	idempotency_expect(check, idempotency_send(check, bench, "stored", CONTENT, SLUICE_PASS), SLUICE_PASS,
	                   "the first event of an id");
	for (size_t i = 0; i < sizeof(jumps_ns) / sizeof(jumps_ns[0]); i++) {
		bench_jump_clock(jumps_ns[i]);
		if (check_ops(check)->tick)
			(void)check_ops(check)->tick(&bench->stage);
		idempotency_expect(check, idempotency_send(check, bench, "stored", CONTENT, SLUICE_PASS), SLUICE_DONE,
		                   "a duplicate, at once after the wall clock was set");
		check_that(check,
		           bench_process(bench, idempotency_event(check, bench, "in flight", CONTENT)) == SLUICE_WAIT,
		           "the wall clock was set, and a duplicate of an event in flight did not wait");
	}
	bench_advance_clock(2 * TTL_S * NS_PER_S);
	if (has_ttl && !check_store(check))
		idempotency_expect(check, idempotency_send(check, bench, "stored", CONTENT, SLUICE_PASS), SLUICE_PASS,
		                   "with ttl=60s, after 120 s and with the wall clock set");
	idempotency_expect(check, idempotency_send(check, bench, "stored", CONTENT, SLUICE_PASS), SLUICE_DONE,
	                   "a duplicate");
	idempotency_end(check, bench, in_flight, SLUICE_PASS);
	bench_close(bench);
	bench_restart_clock();
	bench_jump_clock(NS_PER_S);
	bench = check_open_with(check, extra);
	if (idempotency_has_place(check))
		idempotency_expect(check, idempotency_send(check, bench, "stored", CONTENT, SLUICE_PASS), SLUICE_DONE,
		                   "a duplicate, a second later in wall time, after the machine was started again");
	bench_close(bench);
}

static void send_ids(struct check *check, const char *name, enum sluice_verdict expected, const char *what)
{
	struct bench *bench = check_open(check);
	for (int i = 0; i < IDS; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "%s-%d", name, i);
		idempotency_expect(check, idempotency_send(check, bench, id, CONTENT, SLUICE_PASS), expected, what);
	}
	bench_close(bench);
}

void idempotency_starts_from_an_older_copy(struct check *check)
{
	world_enter(check, &(struct world){.number = 0});
	send_ids(check, "old", SLUICE_PASS, "the first event of an id");
	if (check_store(check))
		check_skip(check, "it asks the store");
	if (!idempotency_has_place(check) || !world_keep_copy(check))
		check_skip(check, "it keeps no files in its folder");
	send_ids(check, "new", SLUICE_PASS, "the first event of an id");
	world_go_back(check);
	send_ids(check, "old", SLUICE_DONE, "a duplicate of an event that its older copy has");
	send_ids(check, "new", SLUICE_PASS, "an event that its older copy has not got: only the store can know it");
	send_ids(check, "new", SLUICE_DONE, "a duplicate, after its files were replaced by an older copy");
}
