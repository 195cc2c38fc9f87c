/*
 * An exporter: keeps what has ended, and hands it to the collector in batches, on a thread of its own. Nobody waits for it: while
 * its queue is full, what comes is dropped and counted.
 *
 * A batch is sent again only as OTLP says: after no answer, 429, 502, 503 or 504, with growing pauses or as long as Retry-After asks
 * for, for a minute at most; any other answer ends it (opentelemetry-proto, docs/specification.md, "OTLP/HTTP Response").
 */
#ifndef OTLP_EXPORTER_H
#define OTLP_EXPORTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/exporter.h>

#include "base/json_writer.h"
#include "otlp/span.h"

struct exporter;

struct exporter_setup {
	const char *module; /* file of the shared object that carries it */
	struct sluice_exporter_target target;
	struct span_resource resource;
	size_t item_size; /* bytes of what exporter_add() takes */
	size_t queue;     /* items that wait at most */
	size_t batch;     /* items that go at once at most */
	int64_t every_ns; /* how long an item waits for others at most */
	/* Writes the spans of an item, on the exporter's thread. Returns how many. */
	size_t (*write)(void *context, const void *item, struct json_writer *json);
	void *context;
};

/* What the setup points to lives until exporter_destroy(). */
struct exporter *exporter_create(const struct exporter_setup *setup, struct sluice_error *error);

/* Sends what waits, for so long at most, and ends. NULL is allowed. */
void exporter_destroy(struct exporter *exporter, int64_t patience_ns);

/* Copies the item. From any thread. */
void exporter_add(struct exporter *exporter, const void *item);

struct exporter_counts {
	uint64_t exported; /* spans that the collector has taken */
	uint64_t dropped;  /* items that found the queue full */
	uint64_t failed;   /* spans that the collector has not taken */
};
void exporter_get_counts(const struct exporter *exporter, struct exporter_counts *counts_out);

#endif
