/*
 * A run directory, opened and written; see run.h.
 */
#include "lab/run/run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/hash_table.h"

enum {
	FORMAT = 1,
	RECORDS_MAX = 32 * 1024 * 1024,
	BLOCKS_ALWAYS = 1024,            /* a trace may have this many blocks however few its records are */
	DOCUMENT_MAX = 16 * 1024 * 1024, /* bytes; as a tree in memory it takes up to 80 times that */
};

char *run_file(const char *directory, const char *name)
{
	struct buffer path = {0};
	buffer_printf(&path, "%s/%s", directory, name);
	return buffer_take(&path);
}

static bool is_directory(const char *path)
{
	struct stat about;
	return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* A record belongs to one of two arms and to a block; blocks are counted from 0, and each has records. */
static bool is_placed(const struct trace_record *record, size_t count)
{
	return record->arm < RUN_ARMS_MAX && (record->block < BLOCKS_ALWAYS || record->block < count);
}

static bool check_records(const struct run *run, const char *path, struct sluice_error *error)
{
	for (size_t i = 0; i < run->count; i++)
		if (!is_placed(&run->records[i], run->count))
			return sluice_error_set(error, "%s: a damaged trace: record %zu is of arm %u, block %u", path,
			                        i + 1, run->records[i].arm, run->records[i].block);
	return true;
}

static bool read_records(struct run *run, const char *path, struct sluice_error *error)
{
	struct trace_reader *reader = trace_open(path, error);
	if (!reader)
		return false;
	size_t room = 0;
	struct trace_record record;
	run->header = *trace_get_header(reader);
	struct sluice_error cause = {0};
	while (trace_read(reader, &record, &cause)) {
		if (run->count == RECORDS_MAX) {
			(void)sluice_error_set(&cause, "%s: expected at most %d records", path, RECORDS_MAX);
			break;
		}
		if (run->count == room) {
			room = room ? 2 * room : 1024;
			run->records = must_realloc(run->records, room * sizeof(*run->records));
		}
		run->records[run->count++] = record;
	}
	trace_free(reader);
	return cause.text[0] ? sluice_error_set(error, "%s", cause.text) : check_records(run, path, error);
}

static bool check_format(const char *path, const json_t *about, struct sluice_error *error)
{
	const json_t *format = json_object_get(about, "format");
	if (json_is_integer(format) && json_integer_value(format) >= 1 && json_integer_value(format) <= FORMAT)
		return true;
	return sluice_error_set(error, "%s/" RUN_ABOUT ": format: expected 1..%d; a newer one needs a newer program",
	                        path, FORMAT);
}

static bool read_run(struct run *run, struct sluice_error *error)
{
	if (!is_directory(run->path))
		return read_records(run, run->path, error);
	run->about = run_read_json(run->path, RUN_ABOUT, error);
	if (!run->about || !check_format(run->path, run->about, error))
		return false;
	char *path = run_file(run->path, RUN_REQUESTS);
	bool good = read_records(run, path, error);
	free(path);
	return good;
}

struct run *run_open(const char *path, struct sluice_error *error)
{
	struct run *run = must_calloc(1, sizeof(*run));
	run->path = must_strdup(path);
	if (read_run(run, error))
		return run;
	run_close(run);
	return NULL;
}

void run_close(struct run *run)
{
	if (!run)
		return;
	json_decref(run->about);
	free(run->records);
	free(run->path);
	free(run);
}

bool run_write_json(const char *directory, const char *name, const json_t *document, struct sluice_error *error)
{
	struct buffer temporary = {0};
	char *path = run_file(directory, name);
	buffer_printf(&temporary, "%s.new", path);
	errno = 0;
	FILE *file = file_create(temporary.data);
	bool good = file && json_dumpf(document, file, JSON_INDENT(2) | JSON_REAL_PRECISION(RUN_DIGITS)) == 0 &&
	            fputc('\n', file) != EOF;
	good = (!file || fclose(file) == 0) && good;
	good = good && rename(temporary.data, path) == 0;
	if (!good) {
		(void)sluice_error_set(error, "%s: cannot be written: %s", path,
		                       errno ? strerror(errno) : "it holds what is no JSON");
		(void)unlink(temporary.data);
	}
	buffer_finish(&temporary);
	free(path);
	return good;
}

void run_mark(json_t *document)
{
	(void)json_object_set_new(document, "sluice", json_string(SLUICE_VERSION));
	(void)json_object_set_new(document, "rules", json_integer(RUN_RULES));
}

int64_t run_rules(const json_t *document)
{
	const json_t *rules = json_object_get(document, "rules");
	return json_is_integer(rules) ? json_integer_value(rules) : 1;
}

/* False: it cannot be read, or is larger than a document of a run may be. */
static bool read_document(const char *path, struct buffer *text, struct sluice_error *error)
{
	char piece[16384];
	size_t size;
	FILE *file = file_open(path, error);
	if (!file)
		return false;
	while (text->size <= DOCUMENT_MAX && (size = fread(piece, 1, sizeof(piece), file)) > 0)
		buffer_add(text, piece, size);
	(void)fclose(file);
	return text->size <= DOCUMENT_MAX ||
	       sluice_error_set(error, "%s: expected at most %d MiB", path, DOCUMENT_MAX / (1024 * 1024));
}

json_t *run_read_json(const char *directory, const char *name, struct sluice_error *error)
{
	json_error_t cause;
	json_t *document = NULL;
	struct buffer text = {0};
	char *path = run_file(directory, name);
	if (read_document(path, &text, error)) {
		document = json_loadb(text.data ? text.data : "", text.size, JSON_ALLOW_NUL, &cause);
		if (!document)
			(void)sluice_error_set(error, "%s:%d:%d: expected JSON: %s", path, cause.line, cause.column,
			                       cause.text);
	}
	buffer_finish(&text);
	free(path);
	return document;
}

/* The sender's records by request key. */
struct join {
	struct trace_record *records;
	struct hash_table numbers; /* of records, from 1 */
	bool *is_found;            /* by number */
	int64_t shift_ns;          /* from the server's clock to the sender's */
};

struct wanted {
	const struct trace_record *records;
	uint64_t request;
};

static bool matches(const void *key, uintptr_t number)
{
	const struct wanted *wanted = key;
	return wanted->records[number - 1].request == wanted->request;
}

static size_t find_record(const struct join *join, uint64_t request)
{
	struct wanted wanted = {join->records, request};
	return hash_table_find(&join->numbers, digest_hash(&request, sizeof(request)), matches, &wanted);
}

static void join_init(struct join *join, struct trace_record *records, size_t count)
{
	*join = (struct join){.records = records, .is_found = must_calloc(count + 1, sizeof(*join->is_found))};
	for (size_t i = 0; i < count; i++) {
		uint64_t request = records[i].request;
		if (!find_record(join, request))
			hash_table_add(&join->numbers, digest_hash(&request, sizeof(request)), i + 1);
	}
}

static void join_finish(struct join *join)
{
	hash_table_finish(&join->numbers);
	free(join->is_found);
}

/* On one machine the two traces share the monotonic clock; of two machines only the wall clocks can be compared. */
static int64_t clock_shift_ns(const struct trace_header *sender, const struct trace_header *server)
{
	int64_t boots_apart_ns = (server->wall_ns - server->start_ns) - (sender->wall_ns - sender->start_ns);
	if (boots_apart_ns > -NS_PER_S && boots_apart_ns < NS_PER_S)
		return server->start_ns - sender->start_ns;
	return server->wall_ns - sender->wall_ns;
}

static bool join_record(struct join *join, const struct trace_record *server)
{
	size_t number = find_record(join, server->request);
	if (!number)
		return false;
	struct trace_record *record = &join->records[number - 1];
	memcpy(record->stages, server->stages, sizeof(record->stages));
	memcpy(record->cpu_ns, server->cpu_ns, sizeof(record->cpu_ns));
	record->attempts = server->attempts;
	record->batch_size = server->batch_size;
	record->respond_ns = server->respond_ns;
	record->received_ns = server->intended_ns + join->shift_ns;
	record->replied_ns = server->answered_ns < 0 ? -1 : server->answered_ns + join->shift_ns;
	bool is_first = !join->is_found[number];
	join->is_found[number] = true;
	return is_first;
}

size_t run_join(struct trace_record *records, size_t count, const struct trace_header *header, const char *server_trace,
                struct trace_names names_out[SLUICE_KIND_SLOTS], struct sluice_error *error)
{
	struct trace_reader *reader = trace_open(server_trace, error);
	if (!reader)
		return 0;
	struct join join;
	struct trace_record server;
	size_t found = 0;
	const struct trace_header *server_header = trace_get_header(reader);
	join_init(&join, records, count);
	join.shift_ns = clock_shift_ns(header, server_header);
	memcpy(names_out, server_header->names, sizeof(server_header->names));
	struct sluice_error cause = {0};
	if (join.shift_ns < -TRACE_TIME_MAX_NS || join.shift_ns > TRACE_TIME_MAX_NS)
		(void)sluice_error_set(&cause, "%s: is of another time than the requests", server_trace);
	while (!cause.text[0] && trace_read(reader, &server, &cause))
		found += join_record(&join, &server);
	trace_free(reader);
	join_finish(&join);
	return cause.text[0] ? (size_t)sluice_error_set(error, "%s", cause.text) : found;
}
