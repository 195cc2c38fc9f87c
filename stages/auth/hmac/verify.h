/*
 * Proves that a request was signed with one of several keys, by the rules of a scheme.
 */
#ifndef HMAC_VERIFY_H
#define HMAC_VERIFY_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/event.h>

#include "sign/scheme.h"

struct verifier;

/* `scheme` and its texts must outlive it. NULL and a sentence if the scheme makes no sense. */
struct verifier *verifier_create(const struct scheme *scheme, struct sluice_error *error);
void verifier_destroy(struct verifier *verifier); /* NULL is allowed */

/* Adds a key, written as the scheme has it. The error ("expected base64 …") does not show it. */
bool verifier_add_secret(struct verifier *verifier, struct sluice_bytes secret, struct sluice_error *error);
size_t verifier_secret_count(const struct verifier *verifier);

/* What was sent. Absent parts are those whose header is missing. */
struct signed_request {
	struct sluice_bytes signature, timestamp, id, body;
	int64_t received_at_ns; /* wall clock */
};

/* NULL: signed with one of the keys, in time; *key_out is then the first of these, in the order they were added.
 * Otherwise why it is not, for the operator's eyes. The signatures are compared in constant time, and all of them with
 * all keys. From any thread. */
const char *verifier_find_flaw(const struct verifier *verifier, const struct signed_request *request, size_t *key_out);

#endif
