/*
 * Payloads of synthetic webhooks: JSON that looks like a shop's, of exactly the size that is asked for.
 */
#ifndef LAB_LOAD_PAYLOAD_H
#define LAB_LOAD_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/prng.h"

enum { PAYLOAD_SIZE_MIN = 16 };

/* What happened, "order.created", and what the ids of its objects begin with, "ord". */
struct payload_type {
	const char *name, *prefix;
};

const struct payload_type *payload_type_draw(struct prng *prng);

/* Appends a payload of `size` bytes, at least PAYLOAD_SIZE_MIN. `number` counts the events and so their time. */
void payload_write(const struct payload_type *type, uint64_t number, size_t size, struct prng *prng,
                   struct buffer *out);

/* A size as GitHub's payloads have it: a median of 7.7 kB, 95 % below 25 kB. */
size_t payload_size_draw(struct prng *prng);

#endif
