/*
 * A request as a replay sends it: HTTP/1.1, with the event's own headers, the sender's, and a signature.
 */
#ifndef LAB_LOAD_REQUEST_H
#define LAB_LOAD_REQUEST_H

#include <stddef.h>

#include "base/buffer.h"
#include "lab/load/replay.h"

struct request_writer {
	const struct replay_plan *plan;
	struct buffer id, body; /* of the request being written */
};

/* Starts as {.plan = …}. */
void request_writer_finish(struct request_writer *writer);

/* Appends the whole request number `i` of the plan, head and body. */
void request_write(struct request_writer *writer, size_t i, const struct replay_target *target, struct buffer *out);

/* Appends its id, as X-Request-Id has it. */
void request_write_id(const struct replay_plan *plan, size_t i, struct buffer *out);

/* Appends the message id as the target gets it; nothing where it is not known. */
void request_write_message_id(const struct replay_plan *plan, size_t i, const struct replay_target *target,
                              struct buffer *out);

#endif
