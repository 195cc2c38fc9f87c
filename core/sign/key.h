/*
 * HMAC with a key over the signed text of a request.
 */
#ifndef SIGN_KEY_H
#define SIGN_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/event.h>

#include "sign/scheme.h"

/* Keyed, to sign any number of texts, from any thread. */
struct signing_key;

/* NULL: the crypto library has no HMAC with that digest, or no memory. */
struct signing_key *signing_key_create(const char *digest, const uint8_t *key, size_t size);
void signing_key_free(struct signing_key *key); /* NULL is allowed */

/* What stands for the parts of a signed text, by enum part_kind. */
struct signed_values {
	struct sluice_bytes of[PART_KINDS];
};

/* The signature as text, without a NUL; returns its size, 0 if the crypto library has failed. */
size_t signing_key_sign(const struct signing_key *key, const struct part *parts, size_t part_count,
                        const struct signed_values *values, enum encoding encoding, char text[ENCODED_MAX]);

/* Compares in constant time; the length of a signature is no secret. */
bool signature_equals(struct sluice_bytes given, const char *expected, size_t size);

#endif
