/* An event as a row. */
#include "row.h"

#include <string.h>

#include "find.h"
#include "payload.h"

#define PAYLOAD_MAX ((size_t)1000000000) /* what PostgreSQL keeps in a field, with room for its own */

/* In the order of ROW_COLUMNS. */
static const Oid types[ROW_COLUMN_COUNT] = {OID_TEXT,  OID_TEXT,  OID_TEXT, OID_INT8,
                                            OID_BYTEA, OID_BYTEA, OID_TEXT, OID_TIMESTAMPTZ};

static Oid type_of(int column, bool payload_is_text)
{
	return column == ROW_PAYLOAD && payload_is_text ? OID_TEXT : types[column];
}

static struct sluice_bytes or_empty(struct sluice_bytes bytes)
{
	return bytes.data ? bytes : (struct sluice_bytes){"", 0};
}

/* One field in binary form; numbers are written into `number`. */
static struct sluice_bytes field(struct sluice_event *event, int column, char number[8])
{
	switch (column) {
	case 0:
		return event->message_id;
	case 1:
		return event->event_type;
	case 2:
		return event->stream;
	case 3:
		return event->has_sequence ? value_int64(number, event->sequence) : (struct sluice_bytes){NULL, 0};
	case ROW_PAYLOAD:
		return or_empty(event->payload);
	case 5:
		return (struct sluice_bytes){(const char *)sluice_digest(event), SLUICE_DIGEST_SIZE};
	case 6:
		return event->request_id;
	default:
		return value_time(number, event->received_at_ns);
	}
}

void row_add(struct parameters *parameters, struct sluice_event *event, bool payload_is_text)
{
	for (int column = 0; column < ROW_COLUMN_COUNT; column++) {
		char *number = parameters->numbers[parameters->count];
		parameters_value(parameters, type_of(column, payload_is_text), field(event, column, number));
	}
}

static bool fill(struct array *array, Oid type, int column, struct sluice_event *const *events, size_t count)
{
	char number[8];
	size_t bytes = 0;
	for (size_t i = 0; i < count; i++)
		bytes += field(events[i], column, number).size;
	if (!array_begin(array, type, count, bytes))
		return false;
	for (size_t i = 0; i < count; i++)
		array_add(array, field(events[i], column, number));
	return true;
}

static bool add_array(struct parameters *parameters, struct array *array, Oid type, int column,
                      struct sluice_event *const *events, size_t count)
{
	if (!fill(array, type, column, events, count))
		return false;
	parameters_value(parameters, array->type, (struct sluice_bytes){array->data, array->size});
	return true;
}

bool row_add_all(struct parameters *parameters, struct array arrays[ROW_COLUMN_COUNT],
                 struct sluice_event *const *events, size_t count, bool payload_is_text)
{
	bool ok = true;
	for (int column = 0; ok && column < ROW_COLUMN_COUNT; column++)
		ok = add_array(parameters, &arrays[column], type_of(column, payload_is_text), column, events, count);
	return ok;
}

bool row_add_ids(struct parameters *parameters, struct array *ids, struct sluice_event *const *events, size_t count)
{
	return add_array(parameters, ids, types[0], 0, events, count);
}

void row_free_arrays(struct array arrays[ROW_COLUMN_COUNT])
{
	for (int column = 0; column < ROW_COLUMN_COUNT; column++)
		array_free(&arrays[column]);
}

/* An absent value is another than an empty one. */
static bool is_same(struct sluice_bytes sent, struct sluice_bytes kept)
{
	return sent.data && kept.data ? sluice_bytes_equal(sent, kept) : !sent.data && !kept.data;
}

bool row_is_of(struct sluice_event *event, const PGresult *rows, int line, bool payload_is_exact)
{
	char number[8];
	for (int column = 0; column < ROW_RECEIVED_AT; column++) {
		struct sluice_bytes sent = field(event, column, number), kept = column_bytes(rows, line, column);
		bool counts = column != ROW_PAYLOAD || payload_is_exact;
		if (counts && !is_same(sent, kept))
			return false;
	}
	return true;
}

bool row_fits(struct sluice_event *event)
{
	if (event->payload.size <= PAYLOAD_MAX)
		return true;
	(void)sluice_fail(event, "PostgreSQL keeps no more than 1 GB in a field");
	return false;
}

enum sluice_verdict row_compare(struct sluice_event *event, const uint8_t digest[SLUICE_DIGEST_SIZE],
                                struct sluice_bytes request_id)
{
	bool ours = event->attempt > 1 && sluice_bytes_equal(request_id, event->request_id);
	if (memcmp(digest, sluice_digest(event), SLUICE_DIGEST_SIZE) != 0)
		return sluice_conflict(event, "this message id is stored with a different content");
	return ours ? SLUICE_PASS : SLUICE_DONE;
}

bool row_may_be_same(const struct sluice_event *event)
{
	const struct sluice_same_content *content = event->host->extension(SLUICE_SAME_CONTENT);
	return content && content->may_be_same(event);
}

enum sluice_verdict row_compare_content(struct connection *connection, struct sluice_event *event, const PGresult *row)
{
	const struct config *config = connection->stage->config;
	const struct sluice_same_content *content = event->host->extension(SLUICE_SAME_CONTENT);
	if (PQntuples(row) == 0)
		return row_vanished(connection, event);
	const struct sluice_record stored = {
		.event_type = column_bytes(row, 0, CONTENT_EVENT_TYPE),
		.stream = column_bytes(row, 0, CONTENT_STREAM),
		.has_sequence = !PQgetisnull(row, 0, CONTENT_SEQUENCE),
		.sequence = column_int64(row, 0, CONTENT_SEQUENCE),
		.payload = or_empty(column_bytes(row, 0, CONTENT_PAYLOAD)),
		.payload_rewritten = !payload_forms[config->payload_type].exact,
	};
	return content->is_same(event, &stored)
	               ? SLUICE_DONE
	               : sluice_conflict(event, "this message id is stored with a different content");
}

enum sluice_verdict row_vanished(struct connection *connection, struct sluice_event *event)
{
	server_doubt(connection->server);
	return sluice_fail(event, "the database dropped the event without an error (a trigger that returns NULL?)");
}
