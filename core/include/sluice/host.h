/*
 * The host: what the core does for a stage.
 *
 * A stage links against nothing of Sluice: the core hands it this table and the inline functions below call through it.
 * All functions may be called from any thread unless they say otherwise; those that take an event, only by who holds
 * it.
 */
#ifndef SLUICE_HOST_H
#define SLUICE_HOST_H

#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "error.h"
#include "event.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sluice_stage;
struct sluice_batch;
struct sluice_record;
struct sluice_audit_row;

enum sluice_log_level { SLUICE_LOG_DEBUG, SLUICE_LOG_INFO, SLUICE_LOG_WARN, SLUICE_LOG_ERROR };

enum sluice_field_type { SLUICE_FIELD_INT, SLUICE_FIELD_REAL, SLUICE_FIELD_TEXT };

/* A named value of a log line, made by sluice_int(), sluice_real() or sluice_text(). */
struct sluice_field {
	const char *name;
	enum sluice_field_type type;
	int64_t integer;
	double real;
	const char *text;
};

struct sluice_host {
	uint32_t size; /* of this table, as the host was compiled; it grows at its end */

	int64_t (*now_ns)(void);  /* monotonic */
	int64_t (*wall_ns)(void); /* since the Unix epoch */

	void *(*alloc)(struct sluice_event *event, size_t size);
	const uint8_t *(*digest)(struct sluice_event *event);
	void (*explain)(struct sluice_event *event, int status, int64_t delay_ns, const char *format,
	                va_list arguments);
	void (*resume)(struct sluice_event *event, enum sluice_verdict verdict);
	void (*span)(struct sluice_stage *stage, struct sluice_event *const *events, size_t count, unsigned span,
	             int64_t ns);
	void (*log)(struct sluice_stage *stage, enum sluice_log_level level, const char *name,
	            const struct sluice_field *fields, size_t field_count);
	uint64_t (*hash)(const void *data, size_t size);
	void (*random)(void *buffer, size_t size);
	struct sluice_event *(*restore)(struct sluice_stage *stage, const struct sluice_record *record);
	void (*audit_hash)(const struct sluice_audit_row *row, uint8_t hash[SLUICE_DIGEST_SIZE]);
	void (*record_digest)(const struct sluice_record *record, uint8_t digest[SLUICE_DIGEST_SIZE]);
};

/* Memory of the event: aligned for any type, not zeroed, freed with the event. NULL when the bound on the bytes in
 * flight is reached: return sluice_retry(). */
static inline void *sluice_alloc(struct sluice_event *event, size_t size)
{
	return event->host->alloc(event, size);
}

/* A copy of `size` bytes in the event's memory, followed by a NUL; absent when sluice_alloc() gave NULL. */
static inline struct sluice_bytes sluice_copy(struct sluice_event *event, const void *data, size_t size)
{
	struct sluice_bytes bytes = {NULL, 0};
	char *copy = (char *)sluice_alloc(event, size + 1);
	if (!copy)
		return bytes;
	if (size)
		memcpy(copy, data, size);
	copy[size] = '\0';
	bytes.data = copy;
	bytes.size = size;
	return bytes;
}

/* SHA-256 over event type, stream, sequence and payload: what makes two events with one message id the same or not.
 * Computed at the first call, after the parse stage; SLUICE_DIGEST_SIZE bytes that live as long as the event. */
static inline const uint8_t *sluice_digest(struct sluice_event *event)
{
	return event->host->digest(event);
}

/* Refuses an event for something its sender can mend. `status` is 400–499; 422 says "same id, different content". The
 * text goes to the sender: no secret, no signature, no payload. Returns SLUICE_REJECT. */
SLUICE_PRINTF(3, 4)
static inline enum sluice_verdict sluice_reject(struct sluice_event *event, int status, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	event->host->explain(event, status, 0, format, arguments);
	va_end(arguments);
	return SLUICE_REJECT;
}

/* Something temporary is in the way. `delay_ns`: how long to leave it alone before the next try, 0 to let the core
 * choose (growing, jittered). The text goes to the log and in general terms to the sender. Returns SLUICE_RETRY. */
SLUICE_PRINTF(3, 4)
static inline enum sluice_verdict sluice_retry(struct sluice_event *event, int64_t delay_ns, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	event->host->explain(event, 503, delay_ns, format, arguments);
	va_end(arguments);
	return SLUICE_RETRY;
}

/* This event can never be handled, and it is not the sender's fault: a constraint of the store, say. Returns
 * SLUICE_FAIL. */
SLUICE_PRINTF(2, 3)
static inline enum sluice_verdict sluice_fail(struct sluice_event *event, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	event->host->explain(event, 500, 0, format, arguments);
	va_end(arguments);
	return SLUICE_FAIL;
}

/* Puts a parked event back on its way, with the verdict that process() would have returned; exactly once per
 * SLUICE_WAIT. From any thread, even before process() has returned. It only queues the event: no stage runs inside this
 * call. The caller holds the event no longer. */
static inline void sluice_resume(struct sluice_event *event, enum sluice_verdict verdict)
{
	event->host->resume(event, verdict);
}

/* The first value of the header `name` (case does not matter), without the white space around it; absent if not sent.
 */
static inline struct sluice_bytes sluice_get_header(const struct sluice_event *event, const char *name)
{
	size_t length = strlen(name);
	for (size_t i = 0; i < event->header_count; i++) {
		const struct sluice_header *header = &event->headers[i];
		if (header->name.size == length && strncasecmp(header->name.data, name, length) == 0)
			return header->value;
	}
	struct sluice_bytes absent = {NULL, 0};
	return absent;
}

static inline bool sluice_bytes_equal(struct sluice_bytes a, struct sluice_bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline struct sluice_field sluice_int(const char *name, int64_t value)
{
	struct sluice_field field = {name, SLUICE_FIELD_INT, value, 0, NULL};
	return field;
}

static inline struct sluice_field sluice_real(const char *name, double value)
{
	struct sluice_field field = {name, SLUICE_FIELD_REAL, 0, value, NULL};
	return field;
}

/* `value` may be NULL. It is borrowed for the call. */
static inline struct sluice_field sluice_text(const char *name, const char *value)
{
	struct sluice_field field = {name, SLUICE_FIELD_TEXT, 0, 0, value};
	return field;
}

#ifdef __cplusplus
}
#endif
#endif
