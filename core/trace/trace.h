/*
 * A trace: one fixed record per request, as a server saw it (`sluice run --trace FILE`) or as a sender did (`sluice
 * replay`, the requests.bin of a run directory). Read by the laboratory.
 *
 * The file is the two structs below, little-endian, without anything between or behind them:
 *
 *     offset 0      struct trace_header, 1088 bytes
 *     offset 1088   struct trace_record, 584 bytes each, to the end of the file, in the order the answers were complete
 *
 * Both sizes stand in the header: a reader takes header_size bytes of header and record_size bytes per record and looks
 * at as many of them as it knows, so both may grow at their ends (a header once was 64 bytes, a record 512, then 544). A record
 * that is cut (the writer was killed) is not read. A new `version` means that what is known has changed its meaning; a
 * reader refuses a version above its own.
 */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/event.h>
#include <sluice/stage.h>

enum {
	TRACE_VERSION = 1,
	TRACE_CPU_KINDS = SLUICE_KIND_PERSIST + 1,
};

/* Times and durations of a record lie within three years, either way: sums and differences of a few of them fit. */
#define TRACE_TIME_MAX_NS INT64_C(100000000000000000)
#define TRACE_MAGIC "SLUICETR"

enum trace_source { TRACE_OF_SERVER = 1, TRACE_OF_SENDER = 2 };

/* A stage of the pipeline, for who reads the figures; empty texts: unknown. */
struct trace_names {
	char use[32]; /* "postgres" */
	char spans[SLUICE_SPANS_MAX][24];
};

struct trace_header {
	char magic[8];        /* TRACE_MAGIC, without a NUL */
	uint32_t version;     /* TRACE_VERSION */
	uint32_t header_size; /* bytes: sizeof(struct trace_header) of the writer */
	uint32_t record_size; /* bytes: sizeof(struct trace_record) of the writer */
	uint32_t source;      /* enum trace_source */
	int64_t start_ns;     /* monotonic clock of the writer: what the times in the records count from */
	int64_t wall_ns;      /* the same moment, ns since the Unix epoch */
	uint8_t seal[24];     /* of a run directory: the first bytes of the SHA-256 of its run.json; zero: none */
	struct trace_names names[SLUICE_KIND_SLOTS]; /* by enum sluice_kind */
};

/* What one stage took, ns; work_ns is -1 if the stage did not run or the source cannot know. */
struct trace_stage {
	int64_t work_ns, wait_ns, parked_ns;
	int64_t spans_ns[SLUICE_SPANS_MAX]; /* in the order the stage declares them */
};

struct trace_record {
	int64_t intended_ns; /* since start_ns: when the schedule wanted it sent; of a server: when the request was
	                        complete */
	int64_t sent_ns;     /* since start_ns: when it was sent; of a server: as intended_ns */
	int64_t answered_ns; /* since start_ns: when the answer was complete (sender: received, server: sent); -1: never
	                      */
	uint64_t request;    /* trace_key() of the request id: joins a sender's record with the server's */
	uint64_t message;    /* trace_key() of the message id; 0: unknown */
	uint32_t input;      /* sender: number of the input line, from 0; of a server: UINT32_MAX */
	uint32_t block;      /* sender: block of the schedule */
	uint16_t status;     /* of HTTP; 0: no answer */
	uint8_t arm;         /* sender: which configuration, 0 is A */
	uint8_t attempts;    /* hand-overs to the stages behind the queue, at most 255; 0: unknown */
	uint32_t batch_size; /* events in the batch it was last in; 0: none or unknown */
	int64_t respond_ns;  /* from the ack point until the answer was sent; -1: unknown */
	struct trace_stage stages[SLUICE_KIND_SLOTS]; /* by enum sluice_kind */
	/* Of a sender; -1: unknown. The last two come from the server's trace, on the sender's clock. */
	int64_t ready_ns;    /* since start_ns: when it could go, had the sender never been late: it was due, its
	                        stream and a connection were free; sent_ns - ready_ns is the sender's own lag */
	int64_t received_ns; /* since start_ns: the server had the complete request */
	int64_t replied_ns;  /* since start_ns: the server had sent the answer */
	uint8_t tries;       /* of the sender: 1, or more where retries are on; of a server: 0 */
	uint8_t connected;   /* of the sender: 1 if a connection had to be made for it */
	uint8_t reserved[2]; /* zero */
	uint32_t number;     /* of a sender: the request's id is the run's request_prefix and this */
	int64_t cpu_ns
		[TRACE_CPU_KINDS]; /* by enum sluice_kind: of work_ns, what the thread was on a processor; -1: not measured */
};

_Static_assert(sizeof(struct trace_header) == 1088, "the layout of a trace file is fixed");
_Static_assert(sizeof(struct trace_record) == 584, "the layout of a trace file is fixed");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "trace files are little-endian");

/* FNV-1a, 64 bits: the same in every process and language. */
uint64_t trace_key(const void *data, size_t size);

/* A record of nothing: unknown everywhere. */
void trace_record_init(struct trace_record *record);

struct trace_writer;

/* Makes the file again. NULL and a sentence if it cannot. The times count from now, or from the moment given on both
 * clocks. `names`: SLUICE_KIND_SLOTS of them, copied; NULL: none are known. */
struct trace_writer *trace_create(const char *path, enum trace_source source, const struct trace_names *names,
                                  struct sluice_error *error);
struct trace_writer *trace_create_at(const char *path, enum trace_source source, const struct trace_names *names,
                                     int64_t start_ns, int64_t wall_ns, struct sluice_error *error);
int64_t trace_start_ns(const struct trace_writer *writer);

/* From any thread. Buffered; a failing disk shows at trace_close(). */
void trace_write(struct trace_writer *writer, const struct trace_record *record);

/* Hands what is buffered to the system, so that it can be read while the writer lives. From any thread. */
void trace_flush(struct trace_writer *writer);

/* Writes what is buffered and frees the writer; false and a sentence if not everything could be written. NULL is
 * allowed. */
bool trace_close(struct trace_writer *writer, struct sluice_error *error);

struct trace_reader;

struct trace_reader *trace_open(const char *path, struct sluice_error *error);
const struct trace_header *trace_get_header(const struct trace_reader *reader);

/* The next record; false at the end, and with a sentence at a record that cannot be: a time beyond TRACE_TIME_MAX_NS, a
 * status that is none. */
bool trace_read(struct trace_reader *reader, struct trace_record *record_out, struct sluice_error *error);
void trace_free(struct trace_reader *reader);

#endif
