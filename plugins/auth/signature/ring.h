/*
 * The keys that a pipeline names, sorted by what they verify with. A ring does not change: what is read again becomes another
 * one.
 */
#ifndef SIGNATURE_RING_H
#define SIGNATURE_RING_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/error.h>
#include <sluice/option.h>

#include "signed/verify.h"

enum ring_kind { RING_ED25519, RING_ECDSA, RING_RSA, RING_HMAC, RING_KINDS };

struct ring_sources {
	const struct sluice_strings *keys, *key_files, *secrets;
	/* The one scheme of all keys; NULL: any algorithm goes, each over a text and a signature in base64. */
	const struct scheme *scheme;
	enum key_encoding secret_encoding;
};

struct ring;

/* NULL and a sentence if one of them cannot be read. `sources` and what it points to must outlive it. */
struct ring *ring_create(const struct ring_sources *sources, struct sluice_error *error);
void ring_destroy(struct ring *ring); /* NULL is allowed */

/* The keys of an algorithm; NULL: there are none. With a scheme, that of its algorithm has all. */
const struct verifier *ring_get(const struct ring *ring, enum ring_kind kind);
enum ring_kind ring_kind_of(enum algorithm algorithm);

/* What the operator calls the key: "key-1", "secret-1", or the name of its file without the folder. */
const char *ring_label(const struct ring *ring, enum ring_kind kind, size_t key);

/* Whether a file is another than when the ring was created. */
bool ring_is_stale(const struct ring *ring);

#endif
