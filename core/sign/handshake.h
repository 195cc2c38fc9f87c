/*
 * Verification handshakes: what a sender asks of an address before it sends events there, and the response it wants. Each
 * is a row of sign/handshakes.inc; auth stages answer by it and store nothing.
 */
#ifndef SIGN_HANDSHAKE_H
#define SIGN_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>

enum { HANDSHAKE_CONDITIONS_MAX = 2, HANDSHAKE_HEADERS_MAX = 3 };

/* Sources are "query:NAME", "header:NAME" and JSON Pointers into the body, "/payload/token". */
struct handshake {
	const char *name;  /* "slack", in a pipeline */
	const char *about; /* one phrase */

	/* Which requests are one. */
	const char *method;
	bool is_signed; /* only once the request was verified */
	const char
		*mark; /* bytes that the body of one holds, so that others are not parsed; NULL: the body is not read */
	struct handshake_condition {
		const char *source; /* NULL: no more */
		const char *value;  /* NULL: any text */
		const char *json;   /* of what is no text, instead */
	} when[HANDSHAKE_CONDITIONS_MAX];

	/* What must be so, else 403: the text of this source is the pipeline's verify_token. */
	const char *token;
	bool token_is_optional; /* without a verify_token all are answered */

	const char *challenge; /* source of the text that is answered; NULL: none */

	/* Templates: {challenge} as it came, {json} as a JSON string, {hex} and {base64} of its HMAC-SHA256 with the secret. */
	int status;        /* 0: 200 */
	const char *type;  /* media type; NULL: text/plain */
	const char *reply; /* NULL: no body */
	struct handshake_header {
		const char *name, *value;
	} headers[HANDSHAKE_HEADERS_MAX];

	const char *confirm; /* source of an address that the operator has to open: it is logged; NULL: none */
};

/* How many there are in sign/handshakes.inc. */
enum {
#define HANDSHAKE(name, ...) +1
	HANDSHAKE_COUNT =
#include "sign/handshakes.inc"
#undef HANDSHAKE
};

extern const struct handshake handshake_rows[HANDSHAKE_COUNT];

/* NULL: there is none of that name. */
const struct handshake *handshake_find(const char *name);

/* Whether its reply is made with the secret. */
bool handshake_uses_secret(const struct handshake *handshake);

#endif
