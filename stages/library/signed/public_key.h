/*
 * Public keys of senders, as they are handed out: PEM (a key or an X.509 certificate), a JSON Web Key or a set of them
 * (RFC 7517), or what Standard Webhooks writes as whpk_ and base64.
 */
#ifndef SIGNED_PUBLIC_KEY_H
#define SIGNED_PUBLIC_KEY_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

#include <sluice/error.h>
#include <sluice/event.h>

#include "sign/scheme.h"

/* Takes over a key of the text. False ends the reading; the sentence is then its. */
typedef bool (*public_key_fn)(void *context, EVP_PKEY *key, struct sluice_error *error);

/* Calls `each` with every key in the text, at least one. Keys of a set whose `use` is another than signing, or whose
 * type is not known, are passed over. */
bool public_key_read(struct sluice_bytes text, public_key_fn each, void *context, struct sluice_error *error);

/* Whether the key can verify by that algorithm. */
bool public_key_fits(const EVP_PKEY *key, enum algorithm algorithm, struct sluice_error *error);

/* Whether it has signed the text. */
bool public_key_verify(EVP_PKEY *key, enum algorithm algorithm, struct sluice_bytes text,
                       struct sluice_bytes signature);

#endif
