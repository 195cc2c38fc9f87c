/*
 * The input of a run: webhooks to send, one JSON object a line, written by `sluice generate` and sent by `sluice
 * replay`.
 *
 *     {"kind":"new","message_id":"msg-0","event_type":"order.created","stream":"s-7","sequence":3,
 *      "id_at":14,"payload_at":88,"payload_size":512,"headers":{"X-A":"b"},"body":"{\"messageId\":\"msg-0\",…}"}
 *
 * Only `body` (text) or `body_base64` (any bytes) is required. Left out: `kind` is "new"; `message_id` absent: nobody
 * knows it, and what was stored cannot be verified; `payload_at` and `payload_size` count bytes of the body, and are
 * all of it; `id_at` is where in the body the message id stands, so that an arm's prefix can be put before it; left
 * out, the ids cannot be made fresh. Headers are sent as they are; Host, Content-Length, Content-Type (application/json
 * unless given), X-Request-Id and those of the signature are the sender's.
 *
 * Two lines with one message_id are the same webhook sent again: `kind` says what that is meant to be.
 */
#ifndef LAB_LOAD_INPUT_H
#define LAB_LOAD_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/event.h>

#include "base/arena.h"
#include "base/buffer.h"

/* What a line is, and so which answer is right. */
enum input_kind {
	INPUT_NEW,           /* 202 */
	INPUT_DUPLICATE,     /* the bytes of an earlier line: 200, or 202 where this one came first */
	INPUT_CONFLICT,      /* the id of an earlier line with another payload: 422 */
	INPUT_BAD_SIGNATURE, /* signed with another secret: 401 (202 where nothing is signed) */
	INPUT_MALFORMED,     /* no event can be made of it: 400 */
	INPUT_KINDS,
};
extern const char *const input_kind_names[INPUT_KINDS];

struct input_header {
	const char *name, *value;
};

/* One webhook. Borrowed from the input's arena. */
struct input_event {
	enum input_kind kind;
	bool has_sequence;
	struct sluice_bytes message_id, event_type, stream; /* absent: the line has none */
	int64_t sequence;
	struct sluice_bytes body;
	size_t payload_at, payload_size; /* in body */
	size_t id_at;                    /* in body; SIZE_MAX: it is not known where */
	const struct input_header *headers;
	size_t header_count;
};

struct input {
	struct arena arena;
	struct input_event *events;
	size_t count, room;
	char sha256[65]; /* hex of the file that was read; "" for one made in memory */
};

/* Starts as {0}; input_init() makes its arena. */
void input_init(struct input *input);
void input_finish(struct input *input);

/* Forgets the events; the memory is used again. */
void input_empty(struct input *input);

/* The next event, zeroed but for `id_at`; valid until the next call. What it points to belongs in input->arena. */
struct input_event *input_add(struct input *input);

/* Adds every line of the file ("-": standard input). Errors name file:line and the field: "x.jsonl:3: payload_at:
 * expected 0..120 (the size of the body), got 200". */
bool input_read(struct input *input, const char *path, struct sluice_error *error);

/* Appends one line, with its newline. Reading it back gives the same event. */
void input_write(const struct input_event *event, struct buffer *out);

/* Writes all of it as a file; sha256 is that file's from then on. */
bool input_save(struct input *input, const char *path, struct sluice_error *error);

/* The body with `prefix` put before the message id, appended to *out; as it is where id_at is not known or the prefix
 * is
 * "". *payload_at_out says where the payload begins in what was appended. */
void input_write_body(const struct input_event *event, const char *prefix, struct buffer *out, size_t *payload_at_out);

#endif
