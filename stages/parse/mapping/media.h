/*
 * What a body is taken for, by its media type.
 */
#ifndef MAPPING_MEDIA_H
#define MAPPING_MEDIA_H

#include <stdbool.h>

#include <sluice/error.h>
#include <sluice/event.h>
#include <sluice/option.h>

enum media { MEDIA_REFUSED, MEDIA_JSON, MEDIA_FORM, MEDIA_OPAQUE };

struct media_config {
	struct sluice_strings json, opaque; /* further media types: "text/plain", "text/x-*", "*" */
	struct sluice_strings batch;        /* of those that are JSON: which may be batches; none: each */
};

/* The media types are ones that can be. */
bool media_check(const struct media_config *config, struct sluice_error *error);

/* JSON: no type, application/json, one that ends in +json (RFC 6839), one of the config's, and what calls itself a form but
 * begins as an object, as `curl -d` sends it: a real form would have to escape the brace. */
enum media media_of(const struct media_config *config, const struct sluice_event *event);

/* Whether a body that is JSON may carry several events. */
bool media_may_be_batch(const struct media_config *config, const struct sluice_event *event);

/* The verdict on a refused one, which names the remedy. */
enum sluice_verdict media_refuse(struct sluice_event *event);

#endif
