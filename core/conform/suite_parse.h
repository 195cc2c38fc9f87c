/* What the checks of parse stages share, and those of JSON; the table at the foot of suite_parse.c says what each is to find. */
#ifndef CONFORM_SUITE_PARSE_H
#define CONFORM_SUITE_PARSE_H

#include "base/buffer.h"
#include "conform/check.h"
#include "conform/request.h"

/* For the checks of those that take JSON, which all do but those that are given a request in a format of their own. */
struct bench *parse_open_json(struct check *check);

/* For checks of any format: with the request given, or else JSON. */
struct bench *parse_open_model(struct check *check);

struct sluice_event *parse_event(struct bench *bench, const void *body, size_t size);
enum sluice_verdict parse_process(struct check *check, struct bench *bench, struct sluice_event *event);

/* Whether the body passes; what comes of it must be sound in either case. */
bool parse_passes(struct check *check, struct bench *bench, const void *body, size_t size);
bool parse_text_passes(struct check *check, struct bench *bench, const char *body);

/* Whether the stage declares that it decodes the payload. */
bool parse_decodes(const struct check *check);

/* What is shown of a body in a sentence: its start, printable. */
struct parse_excerpt {
	char text[80];
};
struct parse_excerpt parse_excerpt(struct sluice_bytes body);

/* A text that is NULL: absent, or empty. */
struct parse_fields {
	const char *body, *message_id, *event_type, *stream, *payload;
	int64_t sequence;
	bool has_sequence;
};
void parse_expect_fields(struct check *check, const struct parse_fields *expected, const struct sluice_event *event);

/* suite_parse_json.c */
void parse_json_valid(struct check *check);
void parse_json_invalid(struct check *check);
void parse_json_duplicate_key(struct check *check);
void parse_json_exact_bytes(struct check *check);
void parse_json_fields(struct check *check);
void parse_json_wrong_fields(struct check *check);
void parse_json_limits(struct check *check);
void parse_json_depth(struct check *check);

/* An object with the payload that is given. */
void parse_json_wrap(struct buffer *out, const void *value, size_t size);

#endif
