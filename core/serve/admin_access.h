/*
 * Who may use the admin listener: whoever has its token. Where it has none, only this machine can reach it; then a page in a
 * browser on this machine must not, by a name that was made to lead here (DNS rebinding) or by a form that it posts.
 */
#ifndef SERVE_ADMIN_ACCESS_H
#define SERVE_ADMIN_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/event.h>

#include "base/network.h"
#include "serve/guesses.h"

struct admin_access {
	bool guarded; /* it has a token, … */
	uint8_t token
		[SLUICE_DIGEST_SIZE]; /* … of which this is the digest: its length does not show in a comparison either */
	struct guesses guesses;
};

void admin_access_init(struct admin_access *access, const char *token); /* NULL: none */

/* The header fields that count; NULL: absent. */
struct admin_credentials {
	const char *method, *authorization, *host, *origin, *fetch_site;
	bool several; /* Authorization fields: which one counts would be a matter of opinion */
};

/* A way of refusing. */
struct admin_denial {
	int status;
	const char *detail;
};

/* NULL: it may go on. */
const struct admin_denial *admin_access_check(struct admin_access *access, const struct admin_credentials *credentials,
                                              const struct ip_address *peer, int64_t now_ns);

#endif
