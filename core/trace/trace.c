/*
 * Writing and reading traces; see trace.h.
 */
#include "trace/trace.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"

enum {
	BUFFER_SIZE = 256 * 1024,
	STATUS_MAX = 999,
	HEADER_LEAST = offsetof(struct trace_header, names), /* the first writers' */
};

/* Of a header's clocks: until the year 2096. */
#define CLOCK_MAX_NS INT64_C(4000000000000000000)

struct trace_writer {
	pthread_mutex_t lock;
	FILE *file;
	char *path;
	int failure; /* errno of the first write that failed */
	struct trace_header header;
};

struct trace_reader {
	FILE *file;
	char *path;
	size_t count; /* records read */
	struct trace_header header;
	unsigned char *record; /* header.record_size bytes */
};

uint64_t trace_key(const void *data, size_t size)
{
	uint64_t key = UINT64_C(0xcbf29ce484222325);
	const unsigned char *bytes = data;
	for (size_t i = 0; i < size; i++)
		key = (key ^ bytes[i]) * UINT64_C(0x100000001b3);
	return key;
}

void trace_record_init(struct trace_record *record)
{
	*record = (struct trace_record){.answered_ns = -1,
	                                .input = UINT32_MAX,
	                                .respond_ns = -1,
	                                .ready_ns = -1,
	                                .received_ns = -1,
	                                .replied_ns = -1};
	for (size_t i = 0; i < SLUICE_KIND_SLOTS; i++)
		record->stages[i].work_ns = -1;
	for (size_t i = 0; i < TRACE_CPU_KINDS; i++)
		record->cpu_ns[i] = -1;
}

static void put(struct trace_writer *writer, const void *data, size_t size)
{
	if (fwrite(data, size, 1, writer->file) != 1 && !writer->failure)
		writer->failure = errno ? errno : EIO;
}

struct trace_writer *trace_create(const char *path, enum trace_source source, const struct trace_names *names,
                                  struct sluice_error *error)
{
	return trace_create_at(path, source, names, clock_now_ns(), clock_wall_ns(), error);
}

struct trace_writer *trace_create_at(const char *path, enum trace_source source, const struct trace_names *names,
                                     int64_t start_ns, int64_t wall_ns, struct sluice_error *error)
{
	FILE *file = fopen(path, "wbe");
	if (!file) {
		(void)sluice_error_set(error, "%s: cannot write the trace: %s", path, strerror(errno));
		return NULL;
	}
	struct trace_writer *writer = must_calloc(1, sizeof(*writer));
	(void)pthread_mutex_init(&writer->lock, NULL);
	(void)setvbuf(file, NULL, _IOFBF, BUFFER_SIZE);
	writer->file = file;
	writer->path = must_strdup(path);
	writer->header = (struct trace_header){
		.magic = {'S', 'L', 'U', 'I', 'C', 'E', 'T', 'R'},
		.version = TRACE_VERSION,
		.header_size = sizeof(struct trace_header),
		.record_size = sizeof(struct trace_record),
		.source = source,
		.start_ns = start_ns,
		.wall_ns = wall_ns,
	};
	if (names)
		memcpy(writer->header.names, names, sizeof(writer->header.names));
	put(writer, &writer->header, sizeof(writer->header));
	return writer;
}

int64_t trace_start_ns(const struct trace_writer *writer)
{
	return writer->header.start_ns;
}

void trace_write(struct trace_writer *writer, const struct trace_record *record)
{
	(void)pthread_mutex_lock(&writer->lock);
	put(writer, record, sizeof(*record));
	(void)pthread_mutex_unlock(&writer->lock);
}

void trace_flush(struct trace_writer *writer)
{
	(void)pthread_mutex_lock(&writer->lock);
	if (fflush(writer->file) != 0 && !writer->failure)
		writer->failure = errno;
	(void)pthread_mutex_unlock(&writer->lock);
}

bool trace_close(struct trace_writer *writer, struct sluice_error *error)
{
	if (!writer)
		return true;
	if (fclose(writer->file) != 0 && !writer->failure)
		writer->failure = errno;
	bool written = writer->failure == 0;
	if (!written)
		(void)sluice_error_set(error, "%s: the trace is not whole: %s", writer->path,
		                       strerror(writer->failure));
	(void)pthread_mutex_destroy(&writer->lock);
	free(writer->path);
	free(writer);
	return written;
}

static bool header_fits(const struct trace_header *header, const char *path, struct sluice_error *error)
{
	if (memcmp(header->magic, TRACE_MAGIC, sizeof(header->magic)) != 0)
		return sluice_error_set(error, "%s: not a trace: expected it to begin with " TRACE_MAGIC, path);
	if (header->version > TRACE_VERSION)
		return sluice_error_set(
			error, "%s: a trace of version %u; this program reads up to version %d: use a newer one", path,
			header->version, TRACE_VERSION);
	enum { SIZE_LIMIT = 1 << 20 };
	if (header->header_size < HEADER_LEAST || header->header_size > SIZE_LIMIT || header->record_size == 0 ||
	    header->record_size > SIZE_LIMIT)
		return sluice_error_set(error,
		                        "%s: a damaged trace: its header says %u bytes of header and %u a record", path,
		                        header->header_size, header->record_size);
	if (header->start_ns < 0 || header->start_ns > CLOCK_MAX_NS || header->wall_ns < 0 ||
	    header->wall_ns > CLOCK_MAX_NS)
		return sluice_error_set(error, "%s: a damaged trace: its header has a time that cannot be", path);
	return true;
}

/* Texts end within their room and have no controls: they are shown on terminals. */
static void clean(char *text, size_t room)
{
	text[room - 1] = '\0';
	for (; *text; text++)
		*text = *text >= ' ' && *text < 0x7f ? *text : '?';
}

static void clean_names(struct trace_names names[SLUICE_KIND_SLOTS])
{
	for (size_t kind = 0; kind < SLUICE_KIND_SLOTS; kind++) {
		clean(names[kind].use, sizeof(names[kind].use));
		for (size_t i = 0; i < SLUICE_SPANS_MAX; i++)
			clean(names[kind].spans[i], sizeof(names[kind].spans[i]));
	}
}

struct trace_reader *trace_open(const char *path, struct sluice_error *error)
{
	FILE *file = file_open(path, error);
	if (!file)
		return NULL;
	struct trace_header header = {.version = 0};
	(void)!fread(&header, 1, sizeof(header), file); /* a short file fails at the magic */
	if (!header_fits(&header, path, error))
		goto close;
	if (header.header_size < sizeof(header)) /* an older writer's: what follows are its records */
		memset((char *)&header + header.header_size, 0, sizeof(header) - header.header_size);
	if (fseek(file, (long)header.header_size, SEEK_SET) != 0) {
		(void)sluice_error_set(error, "%s: cannot read the trace: %s", path, strerror(errno));
		goto close;
	}
	struct trace_reader *reader = must_calloc(1, sizeof(*reader));
	reader->file = file;
	reader->header = header;
	reader->path = must_strdup(path);
	clean_names(reader->header.names);
	reader->record = must_alloc(header.record_size);
	return reader;
close:
	(void)fclose(file);
	return NULL;
}

const struct trace_header *trace_get_header(const struct trace_reader *reader)
{
	return &reader->header;
}

static bool are_times(const int64_t *ns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ns[i] < -TRACE_TIME_MAX_NS || ns[i] > TRACE_TIME_MAX_NS)
			return false;
	return true;
}

static bool is_sound(const struct trace_record *record)
{
	const int64_t times[] = {record->intended_ns, record->sent_ns,     record->answered_ns, record->respond_ns,
	                         record->ready_ns,    record->received_ns, record->replied_ns};
	bool sound = are_times(times, sizeof(times) / sizeof(times[0])) && are_times(record->cpu_ns, TRACE_CPU_KINDS) &&
	             record->status <= STATUS_MAX;
	for (size_t kind = 0; kind < SLUICE_KIND_SLOTS; kind++) {
		const struct trace_stage *stage = &record->stages[kind];
		const int64_t spent[] = {stage->work_ns, stage->wait_ns, stage->parked_ns};
		sound = sound && are_times(spent, 3) && are_times(stage->spans_ns, SLUICE_SPANS_MAX);
	}
	return sound;
}

bool trace_read(struct trace_reader *reader, struct trace_record *record_out, struct sluice_error *error)
{
	size_t size = reader->header.record_size;
	if (fread(reader->record, size, 1, reader->file) != 1)
		return false;
	trace_record_init(record_out);
	memcpy(record_out, reader->record, size < sizeof(*record_out) ? size : sizeof(*record_out));
	reader->count++;
	return is_sound(record_out) ||
	       sluice_error_set(error, "%s: a damaged trace: the times or the status of record %zu cannot be",
	                        reader->path, reader->count);
}

void trace_free(struct trace_reader *reader)
{
	if (!reader)
		return;
	(void)fclose(reader->file);
	free(reader->path);
	free(reader->record);
	free(reader);
}
