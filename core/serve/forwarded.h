/*
 * Who sent a request and which address it was sent to, as the proxies in front say: Forwarded (RFC 7239), or
 * X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host.
 *
 * Anyone can send these fields. Each proxy adds its entry at the right, so entries are read from there, as long as
 * trusted proxies wrote them; what a client has put before these is never reached. A proxy writes one of the two kinds
 * and hands the other on as it came, so where a request has both, they count only as far as they agree.
 */
#ifndef SERVE_FORWARDED_H
#define SERVE_FORWARDED_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/event.h>

#include "base/network.h"

struct forwarded {
	/* The right-most address that is no trusted proxy's; if there is none, the trusted proxy's farthest out. */
	struct ip_address client;
	bool has_client; /* false: an entry that cannot be read comes before it, or the two kinds name different clients */
	const char *scheme;            /* "https" or "http"; NULL: not said */
	struct sluice_bytes authority; /* within a header field's value; absent: not said */
};

/* What the header fields say of a request from `peer`. A peer that is not trusted is the client itself. */
struct forwarded forwarded_read(const struct sluice_header *headers, size_t count, const struct ip_address *peer,
                                const struct network_list *proxies);

#endif
