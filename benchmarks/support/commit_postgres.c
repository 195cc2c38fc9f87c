/*
 * bench-commit-postgres URL RATE COUNT PREFIX BATCH: what PostgreSQL itself takes for the rows that bench-send's webhooks become.
 * Commits them to the tables that Sluice has made, BATCH of them and their audit row in one statement, on the same schedule (RATE
 * 0: one after the other), with nothing around it: no HTTP, no queue, no other thread. Prints one line of names and values.
 */
#include <arpa/inet.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "rows.h"

enum { COLUMNS = 8, AUDIT_PARAMETERS = 3, PARAMETERS = COLUMNS + AUDIT_PARAMETERS, BATCH_MAX = 4096 };
enum { INT8_OID = 20, TEXT_OID = 25, BYTEA_OID = 17, TIMESTAMPTZ_OID = 1184 };

static const Oid element_types[COLUMNS] = {TEXT_OID,  TEXT_OID,  TEXT_OID, INT8_OID,
                                           BYTEA_OID, BYTEA_OID, TEXT_OID, TIMESTAMPTZ_OID};

static const char statement[] =
	"WITH event AS (INSERT INTO webhook_events (message_id, event_type, stream, sequence, payload, digest, request_id, received_at) "
	"SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bytea[], $6::bytea[], $7::text[], $8::timestamptz[]) "
	"ON CONFLICT (message_id) DO NOTHING RETURNING id) "
	"INSERT INTO webhook_audit_trail (writer, position, written_at, covers, previous, hash) "
	"SELECT $9, $10, now(), $11::bytea, substr($11::bytea, 9, 32), substr($11::bytea, 9, 32) WHERE EXISTS (SELECT FROM event)";

_Noreturn static void fail(PGconn *connection, const char *what)
{
	(void)fprintf(stderr, "bench-commit-postgres: %s: %s", what, PQerrorMessage(connection));
	exit(2);
}

static void add_int32(struct buffer *out, uint32_t value)
{
	uint32_t wire = htonl(value);
	buffer_add(out, &wire, sizeof(wire));
}

static void add_int64(struct buffer *out, int64_t value)
{
	add_int32(out, (uint32_t)((uint64_t)value >> 32));
	add_int32(out, (uint32_t)value);
}

static void add_element(struct buffer *array, const void *data, size_t size)
{
	add_int32(array, (uint32_t)size);
	buffer_add(array, data, size);
}

static void add_number(struct buffer *array, int64_t value)
{
	add_int32(array, sizeof(value));
	add_int64(array, value);
}

/* One dimension, no NULL, indices from 1. */
static void begin_array(struct buffer *array, Oid type, size_t count)
{
	buffer_empty(array);
	add_int32(array, 1);
	add_int32(array, 0);
	add_int32(array, type);
	add_int32(array, (uint32_t)count);
	add_int32(array, 1);
}

static int64_t timestamp_now(void)
{
	static const int64_t year_2000_us = 946684800000000;
	return clock_wall_ns() / NS_PER_US - year_2000_us;
}

static void add_row(struct buffer columns[COLUMNS], struct buffer *covers, const char *prefix, size_t i)
{
	struct row row;
	row_make(&row, prefix, i);
	add_element(&columns[0], row.id, strlen(row.id));
	add_element(&columns[1], "order.created", strlen("order.created"));
	add_element(&columns[2], row.stream, strlen(row.stream));
	add_number(&columns[3], row.sequence);
	add_element(&columns[4], row.payload, row.payload_size);
	add_element(&columns[5], row.digest, sizeof(row.digest));
	add_element(&columns[6], row.id, strlen(row.id));
	add_number(&columns[7], timestamp_now());
	add_int64(covers, (int64_t)i);
	buffer_add(covers, row.digest, sizeof(row.digest));
}

static void commit_batch(PGconn *connection, const char *prefix, size_t first, size_t count)
{
	static struct buffer columns[COLUMNS], covers, position;
	buffer_empty(&covers);
	buffer_empty(&position);
	for (int c = 0; c < COLUMNS; c++)
		begin_array(&columns[c], element_types[c], count);
	for (size_t i = first; i < first + count; i++)
		add_row(columns, &covers, prefix, i);
	add_int64(&position, (int64_t)first + 1);
	const char *values[PARAMETERS];
	int sizes[PARAMETERS], formats[PARAMETERS];
	for (int c = 0; c < COLUMNS; c++) {
		values[c] = (const char *)columns[c].data;
		sizes[c] = (int)columns[c].size;
		formats[c] = 1;
	}
	values[8] = prefix, sizes[8] = (int)strlen(prefix), formats[8] = 1;
	values[9] = (const char *)position.data, sizes[9] = (int)position.size, formats[9] = 1;
	values[10] = (const char *)covers.data, sizes[10] = (int)covers.size, formats[10] = 1;
	PGresult *result = PQexecPrepared(connection, "store", PARAMETERS, values, sizes, formats, 1);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fail(connection, "insert");
	PQclear(result);
}

static double processor_us(void)
{
	struct timespec spent;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
	return (double)spent.tv_sec * 1e6 + (double)spent.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		(void)fprintf(stderr, "usage: %s URL RATE COUNT PREFIX BATCH\n", argv[0]);
		return 2;
	}
	double rate = strtod(argv[2], NULL);
	size_t count = strtoul(argv[3], NULL, 10), batch = strtoul(argv[5], NULL, 10);
	if (batch < 1 || batch > BATCH_MAX || count < batch) {
		(void)fprintf(stderr, "%s: expected COUNT >= BATCH, and BATCH from 1 to %d\n", argv[0], BATCH_MAX);
		return 2;
	}
	PGconn *connection = PQconnectdb(argv[1]);
	if (PQstatus(connection) != CONNECTION_OK)
		fail(connection, argv[1]);
	PGresult *prepared = PQprepare(connection, "store", statement, PARAMETERS, NULL);
	if (PQresultStatus(prepared) != PGRES_COMMAND_OK)
		fail(connection, "prepare");
	PQclear(prepared);
	size_t batches = count / batch;
	int64_t *latency = must_calloc(batches, sizeof(*latency));
	double spent_us = processor_us();
	int64_t start = clock_now_ns();
	for (size_t i = 0; i < batches; i++) {
		int64_t due = rate > 0 ? start + (int64_t)((double)(i * batch) * 1e9 / rate) : clock_now_ns();
		wait_until(due);
		commit_batch(connection, argv[4], i * batch, batch);
		latency[i] = clock_now_ns() - due;
	}
	double took_s = (double)(clock_now_ns() - start) / 1e9;
	spent_us = processor_us() - spent_us;
	PQfinish(connection);
	print_latencies(latency, batches);
	(void)printf("rate=%.1f processor_us=%.2f count=%zu\n", (double)(batches * batch) / took_s,
	             spent_us / (double)(batches * batch), batches * batch);
	free(latency);
	return 0;
}
