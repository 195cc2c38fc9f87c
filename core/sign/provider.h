/*
 * The table of providers: senders by name, with all that a pipeline has to know to take their webhooks. Each is a row of
 * sign/providers.inc, with an example of its own that proves the row.
 */
#ifndef SIGN_PROVIDER_H
#define SIGN_PROVIDER_H

#include "sign/handshake.h"
#include "sign/scheme.h"

struct provider {
	const char *name;     /* "github", in a pipeline */
	const char *title;    /* "GitHub" */
	struct scheme scheme; /* its name is the provider's */

	/* Sources as a parse stage takes them, separated by commas. */
	const char *message_id;
	const char *event_type; /* NULL: the sender gives none */

	bool is_form;          /* bodies are forms … */
	const char *form_json; /* … with JSON in this field; NULL: none */
	const char *batch;     /* JSON Pointer to an array of events, to whose elements the sources lead; NULL: none */
	bool integer_texts;    /* ids or types are numbers */
	const char *handshake; /* names of handshakes, separated by commas; NULL: none */
	const char *secret;    /* where the secret or key is found at the sender's side */
	const char *retry;     /* for how long the sender tries again; NULL: it does not say */
	const char *source;    /* where its documentation says so */
};

/* How many there are in sign/providers.inc. */
enum {
#define PROVIDER(name, title, ...) +1
	PROVIDER_COUNT =
#include "sign/providers.inc"
#undef PROVIDER
};

extern const struct provider providers[PROVIDER_COUNT];

/* "none" and then their names; NULL-terminated. */
extern const char *const provider_names[];

/* NULL: there is none of that name. */
const struct provider *provider_find(const char *name);

/* The stage that takes it: "hmac", "signature" or "none". */
const char *provider_stage(const struct provider *provider);

#endif
