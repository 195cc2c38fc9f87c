/*
 * What several rows of sign/schemes.inc and sign/providers.inc have in common.
 */
#ifndef SIGN_FORMS_H
#define SIGN_FORMS_H

#include "sign/scheme.h"

/* standardwebhooks.com, specification 1.0: "Signature scheme" and "Webhook headers" */
#define STANDARD_WEBHOOKS                                                                                              \
	.headers = {{"webhook-signature", "webhook-timestamp", "webhook-id"},                                          \
	            {"svix-signature", "svix-timestamp", "svix-id"}},                                                  \
	.signed_text = "{id}.{timestamp}.{body}", .separator = " ", .prefix = "v1,", .digest = "sha256",               \
	.encoding = ENCODING_BASE64, .key_encoding = KEY_BASE64, .key_prefix = "whsec_", .unit_ns = SCHEME_SECOND_NS,  \
	.tolerance_ns = SCHEME_TOLERANCE_NS

#endif
