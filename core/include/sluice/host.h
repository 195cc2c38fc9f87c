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
#include <stdio.h>
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

/* Small texts that stages say are cut at this many bytes. */
enum { SLUICE_DETAIL_MAX = 200 };

struct sluice_host {
	uint32_t size; /* of this table, as the host was compiled; it grows at its end */

	int64_t (*now_ns)(void);  /* monotonic */
	int64_t (*wall_ns)(void); /* since the Unix epoch */

	void *(*alloc)(struct sluice_event *event, size_t size);
	const uint8_t *(*digest)(struct sluice_event *event);

	/* What goes with a verdict; see the functions below, which call these. Texts are copied. */
	void (*explain)(struct sluice_event *event, int status, int64_t delay_ns, const char *text, size_t size);
	void (*conflict)(struct sluice_event *event, const char *text, size_t size);
	bool (*set_header)(struct sluice_event *event, const char *name, const char *value);
	bool (*respond)(struct sluice_event *event, int status, const char *type, const void *body, size_t size);

	void (*resume)(struct sluice_event *event, enum sluice_verdict verdict);
	void (*span)(struct sluice_stage *stage, struct sluice_event *const *events, size_t count, unsigned span,
	             int64_t ns);
	void (*log)(struct sluice_stage *stage, enum sluice_log_level level, const char *name,
	            const struct sluice_field *fields, size_t field_count);
	/* For hash tables in memory: its key differs in every process, so that no sender can choose collisions. */
	uint64_t (*hash)(const void *data, size_t size);
	/* Fills the buffer from the system's cryptographic generator. */
	void (*random)(void *buffer, size_t size);
	/* queue: makes the event of a record that an earlier life had acknowledged; see recover(). NULL: the pool is full. */
	struct sluice_event *(*restore)(struct sluice_stage *stage, const struct sluice_record *record);
	/* persist: the hash of a row of the audit trail, and the digest of a stored event; see record.h. */
	void (*audit_hash)(const struct sluice_audit_row *row, uint8_t hash[SLUICE_DIGEST_SIZE]);
	void (*record_digest)(const struct sluice_record *record, uint8_t digest[SLUICE_DIGEST_SIZE]);

	void (*announce_store)(struct sluice_stage *stage, const char *identity);
	uint64_t (*store_epoch)(struct sluice_stage *stage);

	/* What the host offers besides, by id; NULL: it does not know the id. See extension.h. */
	const void *(*extension)(const char *id);
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

#define SLUICE_EXPLAIN_(event, format, call)                                                                           \
	do {                                                                                                           \
		char text[SLUICE_DETAIL_MAX];                                                                          \
		va_list arguments;                                                                                     \
		va_start(arguments, format);                                                                           \
		int length = vsnprintf(text, sizeof(text), format, arguments);                                         \
		va_end(arguments);                                                                                     \
		size_t size = length < 0 ? 0 : (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1;      \
		(event)->host->call;                                                                                   \
	} while (0)

/* Refuses an event for something its sender can mend. `status` is 400–499. The text goes to the sender: no secret, no
 * signature, no payload. Returns SLUICE_REJECT. */
SLUICE_PRINTF(3, 4)
static inline enum sluice_verdict sluice_reject(struct sluice_event *event, int status, const char *format, ...)
{
	SLUICE_EXPLAIN_(event, format, explain(event, status, 0, text, size));
	return SLUICE_REJECT;
}

/* Refuses an event because another one with its message id and a different digest is stored or in flight: 422, counted
 * as a conflict. Returns SLUICE_REJECT. */
SLUICE_PRINTF(2, 3)
static inline enum sluice_verdict sluice_conflict(struct sluice_event *event, const char *format, ...)
{
	SLUICE_EXPLAIN_(event, format, conflict(event, text, size));
	return SLUICE_REJECT;
}

/* Something temporary is in the way. `delay_ns`: how long to leave it alone before the next try, 0 to let the core
 * choose (growing, jittered); before the ack point it also becomes the Retry-After of the 503. The text goes to the log
 * and in general terms to the sender. Returns SLUICE_RETRY. */
SLUICE_PRINTF(3, 4)
static inline enum sluice_verdict sluice_retry(struct sluice_event *event, int64_t delay_ns, const char *format, ...)
{
	SLUICE_EXPLAIN_(event, format, explain(event, 503, delay_ns, text, size));
	return SLUICE_RETRY;
}

/* This event can never be handled, and it is not the sender's fault: a constraint of the store, say. Returns
 * SLUICE_FAIL. */
SLUICE_PRINTF(2, 3)
static inline enum sluice_verdict sluice_fail(struct sluice_event *event, const char *format, ...)
{
	SLUICE_EXPLAIN_(event, format, explain(event, 500, 0, text, size));
	return SLUICE_FAIL;
}

/* Adds a header field to the response, beside those of the server, or replaces the stage's own of that name: Retry-After
 * of a 429, say. It goes out with whatever the response becomes. False, and nothing is added, if the name is no token or
 * one of the server's own (Connection, Content-Encoding, Content-Length, Content-Type, Date, Keep-Alive, Server-Timing,
 * Trailer, Transfer-Encoding, Upgrade, X-Request-Id), the value is empty or has control characters, all of them would
 * exceed 2 KiB, or memory is short. Stages before the queue only. */
static inline bool sluice_set_header(struct sluice_event *event, const char *name, const char *value)
{
	return event->host->set_header(event, name, value);
}

/* Refuses a request that has not proven who sent it. `challenge` is the value of WWW-Authenticate, which a 401 must carry
 * (RFC 9110, section 15.5.2): "Bearer", "Basic realm=\"webhooks\"". Returns SLUICE_REJECT. */
SLUICE_PRINTF(3, 4)
static inline enum sluice_verdict sluice_unauthorized(struct sluice_event *event, const char *challenge,
                                                      const char *format, ...)
{
	(void)sluice_set_header(event, "WWW-Authenticate", challenge);
	SLUICE_EXPLAIN_(event, format, explain(event, 401, 0, text, size));
	return SLUICE_REJECT;
}

/* Answers the request itself, with a status of 200–299 or 400–499, a media type and a body of up to 1 MiB (none with
 * 204 and 205), which is copied: a sender's verification handshake, say. Anything else is a 500. The event goes no further
 * and is not stored. Auth and parse only. Returns the verdict to return: SLUICE_DONE or SLUICE_REJECT by the status,
 * SLUICE_RETRY when memory is short. */
static inline enum sluice_verdict sluice_respond(struct sluice_event *event, int status, const char *type,
                                                 const void *body, size_t size)
{
	if (!event->host->respond(event, status, type, body, size))
		return sluice_retry(event, 0, "the bound on bytes in flight is reached");
	return status < 400 ? SLUICE_DONE : SLUICE_REJECT;
}

/* Puts a parked event back on its way, with the verdict that process() would have returned; exactly once per
 * SLUICE_WAIT. From any thread, even before process() has returned. It only queues the event: no stage runs inside this
 * call. The caller holds the event no longer. */
static inline void sluice_resume(struct sluice_event *event, enum sluice_verdict verdict)
{
	event->host->resume(event, verdict);
}

/* The next value of the header `name` (case does not matter), without the white space around it; absent when there is
 * none left. `*at` starts as 0 and belongs to the search. Field lines are not joined or split at commas. */
static inline struct sluice_bytes sluice_next_header(const struct sluice_event *event, const char *name, size_t *at)
{
	size_t length = strlen(name);
	while (*at < event->header_count) {
		const struct sluice_header *header = &event->headers[(*at)++];
		if (header->name.size == length && strncasecmp(header->name.data, name, length) == 0)
			return header->value;
	}
	struct sluice_bytes absent = {NULL, 0};
	return absent;
}

/* The first value of the header `name`; absent if not sent. */
static inline struct sluice_bytes sluice_get_header(const struct sluice_event *event, const char *name)
{
	size_t at = 0;
	return sluice_next_header(event, name, &at);
}

static inline bool sluice_bytes_equal(struct sluice_bytes a, struct sluice_bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* The name of a log line, and its fields behind it. */
#define SLUICE_FIRST_(first, ...) first
#define SLUICE_REST_(first, ...) __VA_ARGS__

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
