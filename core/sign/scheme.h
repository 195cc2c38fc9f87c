/*
 * A signature scheme: what a sender signs, the encoding of the signature, and in which headers all of it comes. Schemes
 * with a name, those of the table of providers and those that a user describes are the same struct. auth/hmac and
 * auth/signature verify by it, the laboratory signs by it.
 */
#ifndef SIGN_SCHEME_H
#define SIGN_SCHEME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

#include "sign/encoding.h"

#define SCHEME_SECOND_NS INT64_C(1000000000)
#define SCHEME_TOLERANCE_NS (300 * SCHEME_SECOND_NS)
/* As unit of a timestamp: it is a date (RFC 3339), which can tell nanoseconds. */
#define SCHEME_DATE_NS INT64_C(1)

/* How a signature is made. */
enum algorithm {
	ALGORITHM_HMAC,
	ALGORITHM_SECRET, /* the secret itself stands where a signature would; nothing else is proven */
	ALGORITHM_BASIC,  /* likewise, as NAME:PASSWORD in base64 (RFC 7617) */
	ALGORITHM_ED25519,
	ALGORITHM_ECDSA_SHA256, /* in DER */
	ALGORITHM_RSA_SHA256,   /* PKCS #1 v1.5 */
	ALGORITHM_SNS,          /* of Amazon SNS: RSA over members of the body */
	ALGORITHM_MESSAGE,      /* HTTP Message Signatures (RFC 9421) */
	ALGORITHM_NONE,         /* the sender proves nothing */
};

/* Whether the key is a secret that both sides share; whether it is the sender's public one. */
bool algorithm_is_shared(enum algorithm algorithm);
bool algorithm_is_public(enum algorithm algorithm);

enum { SCHEME_HEADER_SETS = 2 };

struct scheme {
	const char *name;
	enum algorithm algorithm;

	/* Where the parts come from. The first set whose signature header was sent counts; a signer sends the first. */
	struct scheme_headers {
		const char *signature; /* NULL: no such set */
		const char *timestamp, *id;
	} headers[SCHEME_HEADER_SETS];

	const char *signed_text; /* "{id}.{timestamp}.{body}"; NULL for ALGORITHM_SECRET and _BASIC */
	const char *separator;   /* between the entries of the signature header; NULL: it holds one signature */
	const char *prefix;      /* that an entry has if it is a signature of this scheme; others are skipped */
	const char
		*timestamp_prefix; /* that an entry has if it is the time; "": the first entry is; NULL: the time has a
	                               * header of its own */
	const char *digest;        /* "sha256" */
	enum encoding encoding;
	enum key_encoding key_encoding;
	const char *key_prefix; /* of the secret as text, not part of the key; may be missing */
	int64_t unit_ns;        /* of the timestamp; or SCHEME_DATE_NS */
	int64_t tolerance_ns;   /* how far the timestamp may be off, both ways */

	/* What a sender may send: published by it, or made by another program than this one. */
	struct scheme_example {
		const char *secret, *id, *timestamp, *signature,
			*body;   /* `secret` NULL: there is none; a public key as PEM */
		const char *url; /* NULL unless it is signed */
	} example;
};

/* How many there are in sign/schemes.inc; the number that stands for a scheme of the user's own. */
enum {
#define SCHEME(name, ...) +1
	SCHEME_COUNT =
#include "sign/schemes.inc"
		, SCHEME_TEMPLATE = SCHEME_COUNT,
#undef SCHEME
};

extern const struct scheme schemes[SCHEME_COUNT];

/* Their names and then "template"; NULL-terminated. */
extern const char *const scheme_names[];

/* What a scheme of the user's own may choose from; NULL-terminated. */
extern const char *const scheme_digest_names[];
extern const char *const scheme_unit_names[];
extern const int64_t scheme_units_ns[]; /* by name */

/* The secret without the prefix that the scheme's secrets may have. */
struct sluice_bytes scheme_key_text(const struct scheme *scheme, struct sluice_bytes secret);

/* See secret_trim() in base/secret.h, which stages cannot include. */
bool scheme_trim_secret(struct sluice_bytes *secret, struct sluice_error *error);

/* Reads a timestamp of the scheme's form, as ns since 1970. False: it is something else. */
bool scheme_read_time(const struct scheme *scheme, struct sluice_bytes text, int64_t *ns_out);

enum { SCHEME_TIME_SIZE = 40 };

/* Writes one. */
void scheme_write_time(const struct scheme *scheme, int64_t ns, char text[SCHEME_TIME_SIZE]);

/* The signed text in parts. */
enum part_kind {
	PART_LITERAL,
	PART_ID,
	PART_TIMESTAMP,
	PART_BODY,
	PART_METHOD, /* "POST" */
	PART_URL,    /* the whole address, as the sender used it */
	PART_FORM,   /* the fields of a form, sorted by name: name, value, name, value … */
	PART_KINDS,
};

struct part {
	enum part_kind kind;
	const char *text; /* of a literal */
	size_t size;
};

enum { PARTS_MAX = 16 };

/* Takes `text` apart; the parts point into it. Returns their number; 0 and a sentence if it has neither {body} nor {form},
 * a placeholder twice, or another brace. */
size_t scheme_split(const char *text, struct part parts[PARTS_MAX], struct sluice_error *error);

#endif
