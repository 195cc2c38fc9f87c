/*
 * Exporters: a shared object that carries telemetry to a collector, so that the server itself links no HTTP client. It is loaded only
 * where the pipeline asks for it, and knows nothing of what it carries.
 *
 * It exports one table by the name SLUICE_EXPORTER_SYMBOL. The layout behind that name is fixed; a changed one takes the next
 * number.
 */
#ifndef SLUICE_EXPORTER_H
#define SLUICE_EXPORTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "option.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SLUICE_EXPORTER_SYMBOL "sluice_exporter_1"

/* Where to; all of it lives until destroy(). */
struct sluice_exporter_target {
	const char *url;
	const char *ca_file;           /* certificates to trust; NULL: those of the system */
	struct sluice_strings headers; /* "Name: value" */
	int64_t timeout_ns;            /* of one post() */
};

struct sluice_exporter_message {
	const char *type; /* media type */
	const void *body;
	size_t size;
	/* Whether to end it now, answered or not; asked several times a second. */
	bool (*is_over)(void *context);
	void *context;
};

/* What came of it. */
struct sluice_exporter_answer {
	int status;             /* of HTTP; 0: there was no answer, and `reason` says why */
	int64_t retry_after_ns; /* what Retry-After asks for; 0: nothing */
	char reason[256];
	char body[4096]; /* the beginning of the answer's, followed by a NUL */
};

struct sluice_exporter_ops {
	/* One thread uses it. NULL and a sentence if it cannot work. */
	void *(*create)(const struct sluice_exporter_target *target, struct sluice_error *error);
	void (*post)(void *exporter, const struct sluice_exporter_message *message,
	             struct sluice_exporter_answer *answer_out);
	void (*destroy)(void *exporter);
};

#ifdef __cplusplus
}
#endif
#endif
