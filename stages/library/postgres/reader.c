/* The reader. */
#include "reader.h"

#include <stdio.h>

#include "payload.h"
#include "schema.h"
#include "transaction.h"

void reader_let_go(struct connection *connection)
{
	transaction_roll_back(connection);
}

/* A transaction begins to see with its first query, which is schema_check()'s. */
bool reader_look(struct connection *connection, bool one_moment, struct sluice_error *error)
{
	return server_find_schema(connection, error) &&
	       transaction_open(connection, one_moment ? TRANSACTION_SNAPSHOT : TRANSACTION_READS, error) &&
	       schema_check(connection, error);
}

struct walk {
	const struct payload_form *form;
	sluice_record_fn each_record;
	sluice_letter_fn each_letter;
	sluice_audit_fn each_row;
	void *context;
	const char *table; /* of a scan by id */
	int64_t last_id;
	int64_t rows;
	bool stopped;
	bool out_of_order; /* the column id is no integer any more: the pages would never end */
};

/* Columns of a record; %s is the payload. */
#define RECORD_COLUMNS "id, message_id, event_type, stream, sequence, %s, digest, request_id, received_at"
enum { RECORD_COLUMN_COUNT = 9 };

static struct sluice_record get_record(const PGresult *row)
{
	struct sluice_record record = {
		.id = column_int64(row, 0, 0),
		.message_id = column_bytes(row, 0, 1),
		.event_type = column_bytes(row, 0, 2),
		.stream = column_bytes(row, 0, 3),
		.has_sequence = !PQgetisnull(row, 0, 4),
		.sequence = column_int64(row, 0, 4),
		.payload = column_bytes(row, 0, 5),
		.request_id = column_bytes(row, 0, 7),
		.received_at_ns = column_time_ns(row, 0, 8),
	};
	column_digest(row, 0, 6, record.digest);
	return record;
}

/* False: the pages would go backwards. */
static bool advance(struct walk *walk, int64_t id)
{
	walk->out_of_order = id <= walk->last_id;
	walk->last_id = id;
	walk->rows++;
	return !walk->out_of_order;
}

static bool yield_record(void *context, const PGresult *row)
{
	struct walk *walk = context;
	struct sluice_record record = get_record(row);
	record.payload_rewritten = !walk->form->exact;
	if (!advance(walk, record.id))
		return false;
	walk->stopped = !walk->each_record(walk->context, &record);
	return !walk->stopped;
}

static bool yield_letter(void *context, const PGresult *row)
{
	struct walk *walk = context;
	struct sluice_letter letter = {.record = get_record(row),
	                               .reason = column_bytes(row, 0, RECORD_COLUMN_COUNT),
	                               .refused_at_ns = column_time_ns(row, 0, RECORD_COLUMN_COUNT + 1)};
	if (!advance(walk, letter.record.id))
		return false;
	walk->stopped = !walk->each_letter(walk->context, &letter);
	return !walk->stopped;
}

/* In pages: PostgreSQL would otherwise sort or hold all that is yet to come while a slow taker takes. */
static bool scan_pages(struct connection *connection, const char *sql, struct walk *walk, connection_row_fn yield,
                       struct sluice_error *error)
{
	bool ok;
	do {
		struct parameters parameters = {0};
		parameters_int64(&parameters, walk->last_id);
		walk->rows = 0;
		ok = connection_stream(connection, sql, &parameters, yield, walk, error);
		if (ok && walk->out_of_order)
			ok = sluice_error_set(error, "url: %s.id does not hold the integers that Sluice wrote",
			                      walk->table);
	} while (ok && walk->rows > 0 && !walk->stopped);
	return ok;
}

bool reader_scan(struct connection *connection, int64_t after_id, sluice_record_fn each, void *context,
                 struct sluice_error *error)
{
	const struct config *config = connection->stage->config;
	struct walk walk = {.form = &payload_forms[config->payload_type],
	                    .each_record = each,
	                    .context = context,
	                    .table = "webhook_events",
	                    .last_id = after_id};
	char sql[200];
	(void)snprintf(sql, sizeof(sql),
	               "SELECT " RECORD_COLUMNS " FROM webhook_events WHERE id > $1 ORDER BY id LIMIT 1000",
	               walk.form->read_as);
	return scan_pages(connection, sql, &walk, yield_record, error);
}

/* Their payload has a type that takes any bytes. */
bool reader_scan_letters(struct connection *connection, int64_t after_id, sluice_letter_fn each, void *context,
                         struct sluice_error *error)
{
	struct walk walk = {
		.each_letter = each, .context = context, .table = "webhook_dead_letters", .last_id = after_id};
	char sql[240];
	(void)snprintf(sql, sizeof(sql),
	               "SELECT " RECORD_COLUMNS
	               ", reason, buried_at FROM webhook_dead_letters WHERE id > $1 ORDER BY id LIMIT 1000",
	               "payload");
	return scan_pages(connection, sql, &walk, yield_letter, error);
}

static bool yield_row(void *context, const PGresult *row)
{
	struct walk *walk = context;
	struct sluice_audit_row audit_row = {
		.writer = column_bytes(row, 0, 0),
		.position = column_int64(row, 0, 1),
		.written_at_ns = column_time_ns(row, 0, 2),
		.covers = column_bytes(row, 0, 3),
	};
	column_digest(row, 0, 4, audit_row.previous);
	column_digest(row, 0, 5, audit_row.hash);
	return walk->each_row(walk->context, &audit_row);
}

bool reader_audit_scan(struct connection *connection, sluice_audit_fn each, void *context, struct sluice_error *error)
{
	struct walk walk = {.each_row = each, .context = context};
	return connection_stream(
		connection,
		"SELECT writer, position, written_at, covers, previous, hash FROM webhook_audit_trail ORDER BY writer, position",
		NULL, yield_row, &walk, error);
}
