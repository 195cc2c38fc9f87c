/*
 * The client of a running server's admin listener, for the subcommands that talk to it: http and https, without
 * redirects and proxies.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <stdbool.h>

#include <jansson.h>
#include <sluice/error.h>

#include "base/buffer.h"

#define CLIENT_ADMIN_DEFAULT "http://127.0.0.1:9464"
#define CLIENT_ADMIN_HELP                                                                                              \
	"the server's admin listener (" CLIENT_ADMIN_DEFAULT "); its token comes from SLUICE_ADMIN_TOKEN"

/* GET of `path` below the admin URL (NULL: the default one; "http://" may be left out), with the bearer token from
 * SLUICE_ADMIN_TOKEN. The response's body is added to *out. False and a sentence if there is no complete response within
 * 10 s; else the HTTP status is in *status_out. `accept` may be NULL. */
bool client_get(const char *admin, const char *path, const char *accept, struct buffer *out, long *status_out,
                struct sluice_error *error);

/* Likewise a POST without a body, which may take its time: 120 s. */
bool client_post(const char *admin, const char *path, struct buffer *out, long *status_out, struct sluice_error *error);

/* `text` as one part of a path, its special characters escaped; the caller frees it. */
char *client_escape(const char *text);

/* What a problem document says, as a sentence; the status where it is none. */
void client_explain(const struct buffer *body, long status, struct sluice_error *error);

#endif
