/*
 * HTTP Message Signatures (RFC 9421) with digests of the body (RFC 9530).
 *
 * A signature counts if it covers what the rules want, at the least the digest of the body where there is one, says when it was
 * made, and a key verifies it. Of derived components @query-param, and of parameters of components all are refused: a signature
 * with them is none.
 */
#ifndef SIGNATURE_MESSAGE_H
#define SIGNATURE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/event.h>
#include <sluice/option.h>

#include "ring.h"

struct message_rules {
	const struct sluice_strings *covered; /* components that must be, besides content-digest */
	const char *id_header;                /* that must be, and holds the message id; NULL: none */
	int64_t tolerance_ns;
};

/* What was proven, by which key. */
struct proof {
	enum ring_kind kind;
	size_t key;
	struct sluice_bytes id; /* absent: none */
};

/* NULL: it is proven. Else why it is not; *memory_short_out says that it could be judged later. */
const char *message_find_flaw(const struct message_rules *rules, const struct ring *ring, struct sluice_event *event,
                              struct proof *proof_out, bool *memory_short_out);

#endif
