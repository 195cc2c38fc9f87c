/*
 * Signing webhooks as their senders do, by the schemes of core/sign. What the senders have published proves these; see
 * tests/unit/test_sign.c.
 */
#ifndef LAB_LOAD_SIGN_H
#define LAB_LOAD_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/event.h>

#include "base/buffer.h"

struct signer;

/* `spec` is SCHEME:SECRET, the scheme one of sign/schemes.inc; or template:SECRET with `form`, the
 * options of auth/hmac's template as "signature_header=X-Sig,signed={timestamp}.{body},encoding=hex,…". An option
 * begins at a comma that a name and = follow; any other comma belongs to the value before it: "separator=,,prefix=v1="
 * has two. `form` is NULL otherwise. NULL and a sentence (without the secret) if it does not fit. */
struct signer *signer_create(const char *spec, const char *form, struct sluice_error *error);
void signer_free(struct signer *signer); /* NULL is allowed */

/* "standard-webhooks" … */
const char *signer_scheme(const struct signer *signer);

/* Whether the signature covers when it was made. */
bool signer_signs_time(const struct signer *signer);

/* For a command's flag that takes SCHEME:SECRET; names the schemes. */
extern const char signer_help[];

/* Appends the header lines that sign `body`, each with its CRLF. `id` is the message id, for schemes that sign one;
 * "none" stands for one that is absent or cannot be a header's value. `spoil`: with a secret that is not the right one.
 * From any thread. */
void signer_write(const struct signer *signer, struct sluice_bytes id, struct sluice_bytes body, int64_t wall_ns,
                  bool spoil, struct buffer *out);

#endif
