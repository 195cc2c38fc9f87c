/*
 * A signature scheme: what a sender signs, how the signature is written, and in which headers all of it comes. Known
 * schemes and those that a pipeline describes itself are the same table.
 */
#ifndef HMAC_SCHEME_H
#define HMAC_SCHEME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

#include "encoding.h"

enum { SCHEME_HEADER_SETS = 2 };

struct scheme {
	/* Where the parts come from. The first set whose signature header was sent counts. */
	struct scheme_headers {
		const char *signature; /* NULL: no such set */
		const char *timestamp, *id;
	} headers[SCHEME_HEADER_SETS];

	const char *signed_text;      /* "{id}.{timestamp}.{body}" */
	const char *separator;        /* between the entries of the signature header; NULL: it holds one signature */
	const char *prefix;           /* that an entry has if it is a signature of this scheme; others are skipped */
	const char *timestamp_prefix; /* that an entry has if it is the time; NULL: the time has a header of its own */
	const char *digest;           /* "SHA256" */
	enum encoding encoding;
	enum key_encoding key_encoding;
	const char *key_prefix; /* of the secret as text, not part of the key; may be missing */
	int64_t unit_ns;        /* of the timestamp */
	int64_t tolerance_ns;   /* how far the timestamp may be off, both ways */
};

extern const char *const scheme_names[]; /* NULL-terminated; the last is "template", which has no table */
enum { SCHEME_STANDARD_WEBHOOKS, SCHEME_GITHUB, SCHEME_STRIPE, SCHEME_SLACK, SCHEME_SHOPIFY, SCHEME_TEMPLATE };
extern const struct scheme schemes[SCHEME_TEMPLATE];

/* The signed text in parts. */
enum part_kind { PART_LITERAL, PART_ID, PART_TIMESTAMP, PART_BODY };

struct part {
	enum part_kind kind;
	const char *text; /* of a literal */
	size_t size;
};

enum { PARTS_MAX = 16 };

/* Takes `text` apart; the parts point into it. Returns their number; 0 and a sentence if it has no {body}, one of the
 * three twice, or another brace. */
size_t scheme_split(const char *text, struct part parts[PARTS_MAX], struct sluice_error *error);

#endif
