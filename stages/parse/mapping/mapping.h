/*
 * How the fields of an event are taken out of a body: what every stage shares that reads one. The options, the media types, the
 * sources of the fields, what each must be, the sentences for the sender. Only how JSON is scanned is the stage's own.
 *
 * A stage has MAPPING_OPTIONS among its options, a struct mapping_config at the start of its config, and these as its
 * check(), create() and destroy(). One that declares SLUICE_PARSE_DECODES takes forms as well.
 */
#ifndef MAPPING_MAPPING_H
#define MAPPING_MAPPING_H

#include <sluice/stage.h>

#include "media.h"
#include "sameness.h"
#include "scan.h"

enum { MAPPING_SOURCES_MAX = 8 /* of one field */, MAPPING_BATCH_MAX = 100000 };

struct mapping_config {
	struct sluice_strings message_id, event_type, payload, stream, sequence;
	int64_t max_depth;
	bool integer_texts;
	struct media_config media;
	const char *batch; /* NULL: a body is one event */
	int64_t batch_max;
	struct sluice_strings sameness;
	const char *form_json; /* of stages that take forms; NULL: forms have no JSON in them */
};

#define MAPPING_FIELD(field, least, otherwise, about)                                                                  \
	SLUICE_OPTION_STRINGS(struct mapping_config, field, .name = #field, .fallback = (otherwise), .min = (least),   \
	                      .max = MAPPING_SOURCES_MAX, .help = (about))

#define MAPPING_OPTIONS                                                                                                  \
	MAPPING_FIELD(                                                                                                   \
		message_id, 1, "/messageId",                                                                             \
		"sources of the idempotency key, tried in order: JSON Pointers, header:NAME, auth:id (the id that "      \
		"the signature covers), several joined as in \"{/source} {/id}\", or the digest: of one of these"),      \
		MAPPING_FIELD(event_type, 0, "/eventType", "sources of the event type; an empty list: it has none"),     \
		MAPPING_FIELD(payload, 1, "/payload", "JSON Pointers to the payload; an empty one is the whole body"),   \
		MAPPING_FIELD(stream, 0, "/stream",                                                                      \
	                      "sources of the stream, whose events stay in order; it may be missing"),                   \
		MAPPING_FIELD(sequence, 0, "/sequence",                                                                  \
	                      "sources of the sender's number in the stream; it may be missing"),                        \
		SLUICE_OPTION_INT(struct mapping_config, max_depth, .name = "max_depth", .fallback = "64", .min = 1,     \
	                          .max = SCAN_DEPTH_MAX, .unit = "levels",                                               \
	                          .help = "how deep arrays and objects may be nested"),                                  \
		SLUICE_OPTION_BOOL(                                                                                      \
			struct mapping_config, integer_texts, .name = "integer_texts", .fallback = "false",              \
			.help = "accept an integer as message id, type or stream, in the digits it was sent in"),        \
		SLUICE_OPTION_STRINGS(                                                                                   \
			struct mapping_config, media.json, .name = "media_types.json",                                   \
			.help = "further media types whose bodies are JSON, such as text/plain; * stands for anything"), \
		SLUICE_OPTION_STRINGS(                                                                                   \
			struct mapping_config, media.opaque, .name = "media_types.opaque",                               \
			.help = "media types whose bodies are taken as they are and not looked into: their "             \
				"ids come from headers, or are a digest:"),                                              \
		SLUICE_OPTION_STRINGS(struct mapping_config, media.batch, .name = "media_types.batch",                   \
	                              .help = "media types whose bodies may be batches; none: all that are JSON"),       \
		SLUICE_OPTION_STRING(                                                                                    \
			struct mapping_config, batch, .name = "batch",                                                   \
			.help = "a JSON Pointer to an array whose elements are events of their own; the empty "          \
				"one: the body is that array"),                                                          \
		SLUICE_OPTION_INT(struct mapping_config, batch_max, .name = "batch_max", .fallback = "1000", .min = 1,   \
	                          .max = MAPPING_BATCH_MAX, .unit = "events",                                            \
	                          .help = "events that one request may carry; more get 413"),                            \
		SLUICE_OPTION_STRINGS(                                                                                   \
			struct mapping_config, sameness, .name = "sameness", .min = 0, .max = SAMENESS_MEMBERS_MAX,      \
			.help = "what must agree, besides type, stream and sequence, for an event to be a duplicate of " \
				"the one with its id: JSON Pointers into the payload; none: all of it; first-wins: nothing")

extern const struct sluice_option mapping_options[];
extern const struct sluice_extension mapping_extensions[];

bool mapping_check(const void *config, struct sluice_error *error);
bool mapping_check_forms(const void *config, struct sluice_error *error); /* of a stage that takes them */
bool mapping_create(struct sluice_stage *stage, struct sluice_error *error);
void mapping_destroy(struct sluice_stage *stage);

/* `scan` agrees with scan_json() in all that struct scan says. */
enum sluice_verdict mapping_process(struct sluice_stage *stage, struct sluice_event *event,
                                    bool (*scan)(struct scan *scan));

#endif
