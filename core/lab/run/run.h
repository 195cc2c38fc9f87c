/*
 * A run directory: what was sent and what came back, so that every figure can be recomputed. Its files, and the members
 * of run.json, are described in docs/internals/run-directory.md.
 */
#ifndef LAB_RUN_RUN_H
#define LAB_RUN_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <sluice/error.h>

#include "trace/trace.h"

enum {
	RUN_ARMS_MAX = 2,
	RUN_DIGITS = 15, /* of numbers in the JSON documents */
};

/* The rules by which verdicts, the files of a bundle and the report follow from a run. Raised when one of them comes out
 * differently: what was made by other rules is refused with that reason, and not called changed. */
enum { RUN_RULES = 3 };

/* Names of the files in it. */
#define RUN_ABOUT "run.json"
#define RUN_REQUESTS "requests.bin"
#define RUN_INPUT "input.jsonl"
#define RUN_VERIFY "verify.json"
#define RUN_COMPARE "compare.json"
#define RUN_GATE "gate.json"
#define RUN_GATE_FILE "gate.yaml"
#define RUN_BASELINE "baseline.json"
#define RUN_SAMPLES "samples.jsonl"
#define RUN_HOST "host.jsonl"
#define RUN_ROLLBACK "rollback.json"
#define RUN_REPORT "report.html"
#define RUN_STACKS(letter) "stacks-" letter ".folded"
#define RUN_MANIFEST "MANIFEST.sha256"
#define RUN_SIGNATURE RUN_MANIFEST ".sig"

struct run {
	char *path;
	json_t *about;              /* run.json; NULL: a trace file alone was opened */
	struct trace_header header; /* of requests.bin */
	struct trace_record *records;
	size_t count;
};

/* Opens a run directory, or a trace file by itself (a server's, a sender's). NULL and a sentence otherwise. */
struct run *run_open(const char *path, struct sluice_error *error);
void run_close(struct run *run); /* NULL is allowed */

/* Latency of a request, ns: corrected counts from the intended time, raw from the sending. -1: no answer. */
static inline int64_t run_corrected_ns(const struct trace_record *record)
{
	return record->answered_ns < 0 ? -1 : record->answered_ns - record->intended_ns;
}
static inline int64_t run_raw_ns(const struct trace_record *record)
{
	return record->answered_ns < 0 ? -1 : record->answered_ns - record->sent_ns;
}

/* Fills what the server saw into the sender's records, by request key: stages, attempts, batch_size, respond_ns and the
 * two moments, moved to the sender's clock; of a request that was tried again, the last time. Returns how many found
 * theirs; 0 and a sentence if the trace cannot be read. */
size_t run_join(struct trace_record *records, size_t count, const struct trace_header *header, const char *server_trace,
                struct trace_names names_out[SLUICE_KIND_SLOTS], struct sluice_error *error);

/* "DIR/NAME", freed by the caller. */
char *run_file(const char *directory, const char *name);

/* Writes a JSON document as DIR/NAME, indented, by way of a temporary file; numbers have up to RUN_DIGITS digits. */
bool run_write_json(const char *directory, const char *name, const json_t *document, struct sluice_error *error);

/* Sets `sluice` and `rules` in what follows from a run. */
void run_mark(json_t *document);

/* 1 where a document says nothing. */
int64_t run_rules(const json_t *document);

/* NULL and a sentence with file:line:column if it cannot be read. */
json_t *run_read_json(const char *directory, const char *name, struct sluice_error *error);

#endif
