/*
 * Proves that a request was signed with one of several keys, by the rules of a scheme.
 */
#ifndef SIGNED_VERIFY_H
#define SIGNED_VERIFY_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/event.h>

#include "sign/key.h"
#include "sign/scheme.h"

struct verifier;

/* `scheme` and its texts must outlive it. NULL and a sentence if the scheme makes no sense. */
struct verifier *verifier_create(const struct scheme *scheme, struct sluice_error *error);
void verifier_destroy(struct verifier *verifier); /* NULL is allowed */

/* Adds a secret, written as the scheme has it. The error ("expected base64 …") does not show it. */
bool verifier_add_secret(struct verifier *verifier, struct sluice_bytes secret, struct sluice_error *error);

/* Adds the public keys of a text: see public_key.h. All must be of the scheme's algorithm. */
bool verifier_add_public(struct verifier *verifier, struct sluice_bytes text, struct sluice_error *error);

/* The same of one key, which it takes over, also if it fails. */
bool verifier_take_public(struct verifier *verifier, EVP_PKEY *key, struct sluice_error *error);

size_t verifier_key_count(const struct verifier *verifier);

/* Whether the signed text holds that part. */
bool verifier_signs(const struct verifier *verifier, enum part_kind kind);

/* What was sent. Absent parts are those whose header is missing. */
struct signed_request {
	struct sluice_bytes signature;
	struct signed_values values; /* of the parts that the scheme signs, by enum part_kind */
	int64_t received_at_ns;      /* wall clock */
};

/* NULL: signed with one of the keys, in time; *key_out is then the first of these, in the order they were added.
 * Otherwise why it is not, for the operator's eyes. Secrets are compared in constant time, and all signatures with all
 * keys. From any thread. */
const char *verifier_find_flaw(const struct verifier *verifier, const struct signed_request *request, size_t *key_out);

/* HMAC of a text with the key of that number, by the scheme's digest; its size, 0 where the key is none for that. */
size_t verifier_mac(const struct verifier *verifier, size_t key, struct sluice_bytes text, enum encoding encoding,
                    char out[ENCODED_MAX]);

/* Whether the example of the scheme verifies; true if it has none. */
bool verifier_proves_example(const struct scheme *scheme, struct sluice_error *error);

#endif
