/*
 * The signature of a manifest: ed25519 over its bytes, in MANIFEST.sha256.sig. Made and checked as `openssl pkeyutl -sign -rawin`
 * and `-verify -rawin` do, with the same keys.
 */
#ifndef LAB_REPORT_SIGNATURE_H
#define LAB_REPORT_SIGNATURE_H

#include <stdbool.h>

#include <sluice/error.h>

/* key: a PEM file with a private key of ed25519, without a passphrase. */
bool signature_write(const char *directory, const char *key, struct sluice_error *error);

enum signature { SIGNATURE_GOOD, SIGNATURE_WRONG, SIGNATURE_MISSING };

/* key: a PEM file with the public key. False and a sentence if it cannot be read. */
bool signature_check(const char *directory, const char *key, enum signature *signature_out, struct sluice_error *error);

#endif
