/*
 * The event: one webhook on its way down the pipeline.
 *
 * One struct goes from stage to stage. Every field has one writer, named here; everybody else reads. At any moment one
 * thread holds the event, so no field needs a lock; for the one exception see settle() in stage.h. The core allocates
 * events; the struct may grow at its end.
 *
 * Memory: all that the fields point to lives in the event's arena (or is static) and dies with the event, all at once.
 * A stage allocates from it with sluice_alloc() and keeps no pointer into it past settle().
 */
#ifndef SLUICE_EVENT_H
#define SLUICE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sluice_host;

enum {
	SLUICE_DIGEST_SIZE = 32, /* SHA-256 */
	SLUICE_NAME_MAX = 255,   /* bytes of a message id, event type or stream; a parse stage rejects longer ones */
	SLUICE_KIND_SLOTS = 8,   /* room for kinds to come */
};

/* A run of bytes: not necessarily text, not NUL-terminated. Absent: data is NULL and size 0. */
struct sluice_bytes {
	const char *data;
	size_t size;
};

/* A request header; the name as sent, to be compared without regard to case. */
struct sluice_header {
	struct sluice_bytes name, value;
};

/* What a stage says about an event when it is done with it. The column "ack" is the moment the answer goes out. */
enum sluice_verdict {
	SLUICE_PASS = 0,   /* go on; from persist: committed and durable */
	SLUICE_DONE = 1,   /* success, stop here: an exact duplicate of an event that is kept → 200 */
	SLUICE_WAIT = 2,   /* parked: the stage keeps the event and will call sluice_resume() once, from any thread */
	SLUICE_REJECT = 3, /* the sender's fault, see sluice_reject() → 4xx; after ack: a dead letter */
	SLUICE_RETRY = 4, /* temporary, see sluice_retry() → 503; behind a queue tried again while the deadline allows;
	                   * after ack: forever */
	SLUICE_FAIL = 5,  /* our fault, see sluice_fail() → 500; after ack: a dead letter */
};

struct sluice_event {
	/* Written by the core before the first stage. */
	const struct sluice_host *host;
	struct sluice_bytes request_id;  /* 1–128 printable ASCII characters */
	struct sluice_bytes traceparent; /* W3C trace context as sent, or absent */
	struct sluice_bytes method;      /* "POST", as sent */
	/* The address that the sender used, for schemes that sign it (RFC 9421, section 2.2). From listen.public_url where
	 * that is set; else, from a peer in listen.trusted_proxies, as its Forwarded or X-Forwarded-* fields say; else as the
	 * request itself says. */
	struct sluice_bytes scheme;     /* "https" or "http" */
	struct sluice_bytes authority;  /* "hooks.example.com:8443"; absent: none was given */
	struct sluice_bytes path;       /* as sent, still percent-encoded, without the query; begins with a slash */
	struct sluice_bytes query;      /* as sent, without the question mark; absent: there was no question mark */
	struct sluice_bytes public_url; /* listen.public_url as configured; absent: not set */
	/* Where the request came from, as text without a port ("203.0.113.7", "2001:db8::1"): the peer, or behind
	 * listen.trusted_proxies the right-most address of Forwarded or X-Forwarded-For that is not one of them. Absent: not
	 * known, because a proxy wrote an address that cannot be read, the two fields contradict each other, or a queue has
	 * restored the event. A stage that decides by the address must treat an absent one like its worst: it is on no list of
	 * those that may, and on every list of those that may not. */
	struct sluice_bytes client_address;
	struct sluice_bytes body;            /* the raw bytes as received; a NUL follows them that is not counted */
	const struct sluice_header *headers; /* every field line, in the order sent; see sluice_next_header() */
	size_t header_count;
	int64_t received_at_ns; /* wall clock, ns since the Unix epoch: when the body was complete */
	int64_t deadline_ns;    /* monotonic clock of the host: the sender is answered 503 then; 0: nobody waits */
	uint32_t attempt;       /* 1 on the first hand-over to the stages behind the queue, then 2, 3 …; else 0 */
	bool acknowledged;      /* the sender has its 2xx: nothing may be refused any more */
	uint32_t part,
		parts; /* which event of its request this is, from 0, and how many the request carries: 0 of 1, but for
	                       * those that a parse stage has made of one; see SLUICE_PARTS in extension.h */

	/* Written by the auth stage; both absent unless it knows them. */
	struct sluice_bytes
		credential; /* a label for the secret or key that matched, for metrics and lineage, so that a
	                                      rotation can be ended with confidence; never the secret itself */
	struct sluice_bytes authenticated_id; /* the message id that the signature covers; absent: it covers none */

	/* Written by the parse stage. Without one they are absent, and payload is the body. */
	struct sluice_bytes message_id; /* the idempotency key; valid UTF-8, 1–SLUICE_NAME_MAX bytes */
	struct sluice_bytes event_type; /* valid UTF-8, 0–SLUICE_NAME_MAX bytes */
	struct sluice_bytes stream;     /* events of a stream stay in order; absent: of no stream */
	int64_t sequence;               /* the sender's own number in the stream; only with has_sequence */
	bool has_sequence;
	struct sluice_bytes payload; /* exact bytes, a part of body or all of it; from a parse stage that declares
	                              * SLUICE_PARSE_DECODES it may be decoded bytes in the event's memory */

	/* Each stage has one word of its own in every event, NULL at first: sluice_local(). */
	void *local[SLUICE_KIND_SLOTS];
};

#ifdef __cplusplus
}
#endif
#endif
