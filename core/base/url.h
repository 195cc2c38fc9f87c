/*
 * The absolute URL of an HTTP origin, RFC 3986 cut down to what names a server: "https://hooks.example.com/in".
 */
#ifndef BASE_URL_H
#define BASE_URL_H

#include <stdbool.h>

#include <sluice/error.h>

#include "base/arena.h"

struct url {
	const char *scheme;    /* "http" or "https" */
	const char *authority; /* host and, if written, port: "hooks.example.com:8443", "[::1]:80"; as written */
	const char *path;      /* begins with a slash and does not end with one; "" for the root */
};

/* http or https, a host, perhaps a port and a path; a user, a query or a fragment is refused. The parts are in the
 * arena. The sentence has no name in front and shows no user. */
bool url_parse(const char *text, struct arena *arena, struct url *out, struct sluice_error *error);

#endif
