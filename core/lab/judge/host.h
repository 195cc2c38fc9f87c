/*
 * The host beside the servers: what host.jsonl of a run directory says, which of it was a stall, and whose. The rule, and the reasons
 * for it, are in docs/internals/host.md.
 */
#ifndef LAB_JUDGE_HOST_H
#define LAB_JUDGE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <sluice/error.h>

#include "lab/run/run.h"

enum host_kind { HOST_LATE, HOST_SLOW_DISK, HOST_KINDS };
enum host_cause { HOST_SERVER, HOST_OTHERS, HOST_ITSELF }; /* the last two are the host's */
extern const char *const host_cause_names[];

/* Whose stall a second has; the host's goes before the server's. */
enum host_mark { HOST_CALM, HOST_OWN, HOST_DISTURBED };

/* A line of the record: what was used in it. Times in ms from the run's origin. */
struct host_second {
	double from_ms, to_ms;
	double late_ms, sync_ms;                               /* the worst that began in it; 0: none */
	double server_ms, laboratory_ms, others_ms, stolen_ms; /* processor time */
	double server_bytes, laboratory_bytes, others_bytes;   /* written */
	double disk_bytes, disk_read_bytes, flushes, busy_ms;  /* of all disks */
	double memory_ms;                                      /* something waited for memory */
	bool has_stall;                                        /* whoever's */
	enum host_mark marks[HOST_KINDS];
};

struct host_stall {
	enum host_kind kind;
	enum host_cause cause;
	double from_ms, to_ms;
	double queued_ms;                                        /* of a late one */
	double others_bytes, server_bytes, others_ms, server_ms; /* of its window */
};

/* From the run's origin. */
struct host_span {
	int64_t from_ns, to_ns;
};

struct host {
	bool is_known; /* there is a record */
	double processors;
	struct host_second *seconds;
	size_t second_count;
	struct host_stall *stalls; /* in the order of their beginnings */
	size_t stall_count;
	struct host_span *spans; /* of the host's stalls and their effect; in order, apart from each other */
	size_t span_count;
	double sync_limit_ms; /* from where on the disk is slow */
};

/* Reads the record of a run directory and judges the stalls; `idle` is when the servers had no load. A run without a record has none.
 * False and a sentence if it cannot be read; the host is finished in either case. */
bool host_read(const char *directory, struct host_span idle, struct host *host_out, struct sluice_error *error);

/* The member "host_idle" of run.json; nothing where it is missing. */
struct host_span host_idle(const json_t *about);
json_t *host_idle_to_json(struct host_span idle);
void host_finish(struct host *host);

/* The first that ends after a moment; their count if there is none. */
size_t host_first_second(const struct host *host, double at_ms);

/* Whether any moment of a time lies in a stall of the host or its effect; how much of it does, 0 to 1. */
bool host_is_stalled(const struct host *host, int64_t from_ns, int64_t to_ns);
double host_stalled_share(const struct host *host, int64_t from_ns, int64_t to_ns);

/* A request, from when it was due; one without an answer until any time. */
bool host_holds(const struct host *host, const struct trace_record *record);

/* Of an arm's requests, how many fall into stalls of the host; the slowest are those from the P95 on. */
struct host_share {
	size_t requests, held, slowest, slowest_held;
};
struct host_share host_share(const struct host *host, const struct trace_record *records, size_t count, uint8_t arm);

/* How many stalls are the host's; the longest of them, or NULL. */
size_t host_count(const struct host *host);
const struct host_stall *host_longest(const struct host *host);

/* "the disk took 1.9 s at 12.3 s, when others wrote 61 MB and the server 3.1 MB" */
void host_describe(const struct host_stall *stall, char *text, size_t size);

/* For the charts, as docs/internals/run-directory.md describes it. */
json_t *host_to_json(const struct host *host);

#endif
