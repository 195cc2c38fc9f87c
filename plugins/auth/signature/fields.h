/*
 * Structured field values (RFC 9651), as far as HTTP Message Signatures and digests need them: members of a dictionary, inner
 * lists, and parameters.
 */
#ifndef SIGNATURE_FIELDS_H
#define SIGNATURE_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/event.h>

/* A parameter behind an item: a string without its quotes, anything else as it is written; a bare key has no value. */
struct field_parameter {
	struct sluice_bytes name, value;
	bool is_string;
};

/* One member of a dictionary: "sig1=(…);created=1" is `name` and, as it was sent, `value`. */
struct field_member {
	struct sluice_bytes name, value;
};

/* Cuts the next member off. False: there is none left, or what follows is no dictionary; *bad_out says which. */
bool fields_next_member(struct sluice_bytes *dictionary, struct field_member *member_out, bool *bad_out);

/* Cuts a string item ("\"@method\"") off the front, without its quotes. False: something else is there. */
bool fields_take_string(struct sluice_bytes *text, struct sluice_bytes *out);

/* Cuts ";name=value" off the front. False: none is there. */
bool fields_take_parameter(struct sluice_bytes *text, struct field_parameter *out);

/* The bytes of ":base64:", in their text form. False: it is something else. */
bool fields_read_bytes(struct sluice_bytes value, struct sluice_bytes *base64_out);

/* A whole number of seconds. */
bool fields_read_seconds(struct sluice_bytes value, int64_t *out);

#endif
