/*
 * A batch is one statement. One that the database refuses because of an event is cut in two, again and again, until that
 * event stands alone: its neighbours pay a few statements more, and the common case nothing. The halves go one after the
 * other, so that streams keep their order; the first failure of the server's ends it for all that is left.
 */
#include "writer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "find.h"
#include "insert.h"
#include "row.h"
#include "schema.h"
#include "transaction.h"

/* In one statement: the arrays are copies. */
#define BYTES_MAX ((size_t)64 << 20)

/* Of transactions that get into each other's way; one of them has come through each time. */
enum { TRIES_MAX = 3, CONFLICT_PAUSE_NS = 50000000 };

/* Internal: an event that was not inserted. No verdict of a persist stage is WAIT. */
#define UNDECIDED SLUICE_WAIT

struct work {
	struct connection *connection;
	bool failed; /* the server: nothing is tried any more */
};

/* Events of a batch that go as one statement. */
struct part {
	struct sluice_event *const *events;
	enum sluice_verdict *verdicts;
	size_t count;
};

static struct part part_of(const struct part *part, size_t from, size_t count)
{
	return (struct part){part->events + from, part->verdicts + from, count};
}

/* The fault is the server's: for those in the part that have this verdict. */
static void give_up(struct work *work, const struct part *part, enum sluice_verdict of)
{
	struct connection *connection = work->connection;
	struct sluice_error error = {0};
	const char *why = schema_explain(connection, &error);
	if (!work->failed) /* one failure, in however many parts it shows */
		transaction_note(connection, FAULT_LATER, why);
	work->failed = true;
	for (size_t i = 0; i < part->count; i++)
		if (part->verdicts[i] == of)
			part->verdicts[i] = sluice_retry(part->events[i], 0, "PostgreSQL could not commit: %s", why);
}

typedef enum fault (*statement_fn)(struct connection *connection, struct sluice_event *const *events, size_t count,
                                   PGresult **result_out);

/* The transaction that was in the way goes first: it has waited for this one. */
static void let_others_pass(int tries)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = (long)tries * CONFLICT_PAUSE_NS}, NULL);
}

/* Again, while it is only in conflict with other transactions. */
static enum fault try_statement(struct connection *connection, statement_fn statement,
                                struct sluice_event *const *events, size_t count, PGresult **result_out)
{
	enum fault fault = FAULT_LATER;
	for (int tries = 0; tries < TRIES_MAX; tries++) {
		if (tries > 0)
			let_others_pass(tries);
		fault = statement(connection, events, count, result_out);
		if (fault == FAULT_NONE)
			return fault;
		PQclear(*result_out);
		*result_out = NULL;
		transaction_roll_back(connection);
		if (connection->broken || !fault_is_conflict(&connection->trouble))
			return fault;
	}
	return fault;
}

/* The row that was in its way is gone: pruned, or the event's own has never come to be. */
static enum sluice_verdict insert_again(struct work *work, struct sluice_event *event)
{
	PGresult *inserted = NULL;
	enum fault fault = try_statement(work->connection, insert_events, &event, 1, &inserted);
	bool stored = fault == FAULT_NONE && PQntuples(inserted) > 0;
	PQclear(inserted);
	if (stored)
		return SLUICE_PASS;
	if (fault == FAULT_NONE)
		return row_vanished(work->connection, event);
	if (fault == FAULT_REFUSED)
		return sluice_fail(event, "PostgreSQL refuses this event: %s", work->connection->trouble.text);
	return sluice_retry(event, 0, "PostgreSQL could not commit: %s", work->connection->trouble.text);
}

/* The row of what was found, if it is the one for the place. */
static enum sluice_verdict compare(struct work *work, struct sluice_event *event, const PGresult *found, int line,
                                   size_t place)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	if (line == PQntuples(found) || column_int64(found, line, FOUND_PLACE) != (int64_t)place)
		return insert_again(work, event);
	column_digest(found, line, FOUND_DIGEST, digest);
	return row_compare(event, digest, column_bytes(found, line, FOUND_REQUEST_ID));
}

/* The undecided: what is stored with their message ids? Rows come in the order of the places. */
static void compare_all(struct work *work, const struct part *part, const PGresult *found)
{
	int line = 0;
	size_t place = 0;
	for (size_t i = 0; i < part->count; i++) {
		if (part->verdicts[i] != UNDECIDED)
			continue;
		part->verdicts[i] = compare(work, part->events[i], found, line, ++place);
		line += line < PQntuples(found) && column_int64(found, line, FOUND_PLACE) == (int64_t)place;
	}
}

/* For the parse stage other content may be the same. */
static void look_at_conflicts(struct work *work, const struct part *part)
{
	for (size_t i = 0; i < part->count; i++) {
		struct sluice_event *event = part->events[i];
		if (part->verdicts[i] != SLUICE_REJECT || !row_may_be_same(event))
			continue;
		PGresult *row = NULL;
		if (find_content(work->connection, event, &row) == FAULT_NONE)
			part->verdicts[i] = row_compare_content(work->connection, event, row);
		else
			part->verdicts[i] = sluice_retry(event, 0, "PostgreSQL could not be asked for the content: %s",
			                                 work->connection->trouble.text);
		PQclear(row);
	}
}

/* The others are stored and stay so, whatever comes of this. */
static void look_up_undecided(struct work *work, const struct part *part)
{
	struct sluice_event **events = calloc(part->count, sizeof(*events));
	PGresult *found = NULL;
	enum fault fault = FAULT_LATER;
	size_t count = 0;
	for (size_t i = 0; events && i < part->count; i++)
		if (part->verdicts[i] == UNDECIDED)
			events[count++] = part->events[i];
	if (events)
		fault = try_statement(work->connection, find_events, events, count, &found);
	else
		fault_say(&work->connection->trouble, "out of memory");
	if (fault == FAULT_NONE) {
		compare_all(work, part, found);
		look_at_conflicts(work, part);
	} else {
		give_up(work, part, UNDECIDED);
	}
	PQclear(found);
	free(events);
}

/* Whether that row of what was inserted is this event's. */
static bool is_row_of(struct sluice_event *event, const PGresult *inserted, int line)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	if (line >= PQntuples(inserted) ||
	    !sluice_bytes_equal(column_bytes(inserted, line, INSERTED_MESSAGE_ID), event->message_id))
		return false;
	column_digest(inserted, line, INSERTED_DIGEST, digest);
	return memcmp(digest, sluice_digest(event), SLUICE_DIGEST_SIZE) == 0;
}

/* The rows come in the order of the events; whether there are events without one. */
static bool take_inserted(const struct part *part, const PGresult *inserted)
{
	int line = 0;
	for (size_t i = 0; i < part->count; i++) {
		bool found = is_row_of(part->events[i], inserted, line);
		part->verdicts[i] = found ? SLUICE_PASS : UNDECIDED;
		line += found;
	}
	return (size_t)line < part->count;
}

static void conclude(struct work *work, const struct part *part, const PGresult *inserted)
{
	transaction_note(work->connection, FAULT_NONE, NULL);
	if (take_inserted(part, inserted))
		look_up_undecided(work, part);
}

static void store(struct work *work, const struct part *part);

static void store_halves(struct work *work, const struct part *part)
{
	size_t half = part->count / 2;
	const struct part halves[] = {part_of(part, 0, half), part_of(part, half, part->count - half)};
	store(work, &halves[0]);
	store(work, &halves[1]);
}

static void store(struct work *work, const struct part *part)
{
	struct connection *connection = work->connection;
	PGresult *inserted = NULL;
	if (part->count == 1 && !row_fits(part->events[0]))
		return;
	enum fault fault = FAULT_LATER;
	if (!work->failed)
		fault = try_statement(connection, insert_events, part->events, part->count, &inserted);
	if (fault == FAULT_NONE)
		conclude(work, part, inserted);
	else if (fault == FAULT_REFUSED && part->count > 1)
		store_halves(work, part);
	else if (fault == FAULT_REFUSED && insert_blames(connection, part->events[0]))
		(void)sluice_fail(part->events[0], "PostgreSQL refuses this event: %s", connection->trouble.text);
	else
		give_up(work, part, SLUICE_FAIL);
	PQclear(inserted);
}

/* As many as fit, one at least. */
static size_t count_fitting(const struct part *part)
{
	size_t count = 1, bytes = part->events[0]->payload.size;
	while (count < part->count && bytes + part->events[count]->payload.size <= BYTES_MAX)
		bytes += part->events[count++]->payload.size;
	return count;
}

void writer_store(struct connection *connection, struct sluice_batch *batch)
{
	struct work work = {.connection = connection};
	struct part left = {batch->events, batch->verdicts, batch->count};
	while (left.count > 0) {
		struct part next = part_of(&left, 0, count_fitting(&left));
		store(&work, &next);
		left = part_of(&left, next.count, left.count - next.count);
	}
}
