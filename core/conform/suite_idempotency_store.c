/*
 * What an idempotency stage promises that asks a store: the store decides, whatever else the stage knows.
 */
#include <stdio.h>
#include <string.h>

#include "conform/suite_idempotency.h"

enum { IDS = 40, ROUNDS = 3 };

static const char *name_id(char id[16], int number)
{
	(void)snprintf(id, 16, "id-%d", number);
	return id;
}

/* As another process does it: the stage has no part in it. */
static void store_elsewhere(struct check *check, const char *id)
{
	struct bench *store = check_store(check);
	struct sluice_event *event = idempotency_event(check, store, id, CONTENT);
	enum sluice_verdict verdict = bench_process(store, event);
	idempotency_expect(check, verdict, SLUICE_PASS, "the store given with --store, of a new event");
	bench_settle(store, event, verdict);
}

static void store_ids(struct check *check)
{
	char id[16];
	for (int i = 0; i < IDS; i++)
		store_elsewhere(check, name_id(id, i));
}

static void expect_known(struct check *check, struct bench *bench, const char *what)
{
	char id[16];
	for (int i = 0; i < IDS * ROUNDS; i++)
		idempotency_expect(check, idempotency_send(check, bench, name_id(id, i % IDS), CONTENT, SLUICE_PASS),
		                   SLUICE_DONE, what);
	idempotency_expect(check, idempotency_send(check, bench, id, OTHER_CONTENT, SLUICE_PASS), SLUICE_REJECT,
	                   "other content for an id that the store has");
}

void idempotency_stored_before(struct check *check)
{
	bench_close(check_open(check)); /* and the store is open */
	store_ids(check);
	struct bench *bench = check_open(check);
	expect_known(check, bench, "an exact duplicate of an event stored before the stage was created");
	idempotency_expect(check, idempotency_send(check, bench, "new", CONTENT, SLUICE_PASS), SLUICE_PASS,
	                   "the first event of an id");
}

/* As where the response to a commit was lost. */
void idempotency_stored_unheard(struct check *check)
{
	static const enum sluice_verdict failures[] = {SLUICE_RETRY, SLUICE_FAIL, SLUICE_REJECT};
	struct bench *bench = check_open(check);
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		char id[16];
		struct sluice_event *event = idempotency_event(check, bench, name_id(id, (int)i), CONTENT);
		idempotency_expect(check, bench_process(bench, event), SLUICE_PASS, "the first event of an id");
		(void)bench_process(check_store(check), event);
		bench_settle(bench, event, failures[i]);
		idempotency_expect(check, idempotency_send(check, bench, id, CONTENT, SLUICE_PASS), SLUICE_DONE,
		                   "a duplicate of a stored event that was settled as failed");
	}
}

void idempotency_stored_elsewhere(struct check *check)
{
	struct bench *bench = check_open(check);
	idempotency_expect(check, idempotency_send(check, bench, "own", CONTENT, SLUICE_PASS), SLUICE_PASS,
	                   "the first event of an id");
	store_ids(check);
	bench_doubt_store();
	expect_known(check, bench, "an exact duplicate of an event that another stored before the new epoch");
}

/* As after a restored backup. */
void idempotency_store_lacks(struct check *check)
{
	struct bench *bench = check_open(check);
	char id[16];
	for (int i = 0; i < IDS; i++) {
		struct sluice_event *event = idempotency_event(check, bench, name_id(id, i), CONTENT);
		idempotency_expect(check, bench_process(bench, event), SLUICE_PASS, "the first event of an id");
		bench_settle(bench, event, SLUICE_PASS);
	}
	bench_doubt_store();
	for (int i = 0; i < IDS * ROUNDS; i++)
		idempotency_expect(check, idempotency_send(check, bench, name_id(id, i % IDS), CONTENT, SLUICE_FAIL),
		                   SLUICE_PASS, "an id that the store lacks, in a new epoch");
}
