/*
 * Framing: where requests begin and end in what a connection receives, told strictly (RFC 9112). Whatever two servers
 * could read differently is a fault, and the bytes from there on are nobody's.
 *
 * libmicrohttpd is lenient about framing before any handler runs, so all that it reads passes through here first: see
 * intercept.h. tests/http/framings.txt is the table of what is accepted and what is a fault.
 */
#ifndef SERVE_FRAMING_H
#define SERVE_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why the connection cannot go on. */
struct framing_fault {
	int status; /* 400, or 505 for a version that is not supported */
	const char *detail;
};

/* Starts zeroed. One thread at a time. */
struct framing {
	const struct framing_fault *fault; /* NULL: none so far */
	uint64_t requests;                 /* complete ones */
	uint64_t heads;                    /* complete ones: as many as requests, or one more while a body is read */

	/* Of framing.c. */
	uint64_t left;      /* bytes of the body, or of the chunk */
	uint64_t length;    /* Content-Length; or the size of the chunk that is read */
	uint32_t overhead;  /* bytes of chunk lines beyond what their data excuses */
	uint8_t state;      /* enum state */
	uint8_t position;   /* in a method, a version, a number, a known name or value */
	uint8_t candidates; /* bits: known names that the name may still become */
	uint8_t field;      /* enum field of the value that is read */
	uint8_t percent;    /* characters of a %00 in the path that have come */
	bool is_http_1_0, in_query, in_trailer, is_value_over;
	bool has_host, has_length, is_chunked;
	bool expects; /* 100-continue, and nothing of the body has come */
	bool drops;   /* the byte would mislead libmicrohttpd */
};

/* Reads what has come next, up to a fault. Returns how many bytes may be handed on, at the front of `data`: all, less
 * the white space behind the values of Content-Length and Transfer-Encoding, and the value of Expect; or, when there is a
 * fault, only those of the requests that were complete before it. */
size_t framing_read(struct framing *framing, char *data, size_t size);

/* Whether a request has begun that is not complete. */
bool framing_is_inside(const struct framing *framing);

/* Whether the last head asks for 100 Continue before its body, of which nothing has come yet (RFC 9110, section 10.1.1). */
bool framing_awaits_continue(const struct framing *framing);

#endif
