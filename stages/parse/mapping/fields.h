/*
 * The fields of an event: which there are, what each must be, the sentences for the sender.
 */
#ifndef MAPPING_FIELDS_H
#define MAPPING_FIELDS_H

#include <sluice/stage.h>

#include "mapping.h"
#include "recipe.h"

enum { FIELD_MESSAGE_ID, FIELD_EVENT_TYPE, FIELD_PAYLOAD, FIELD_STREAM, FIELD_SEQUENCE, FIELD_COUNT };

/* The recipes of all fields, tried in order, and the sources of them all. */
struct fields {
	struct source_list list;
	struct recipe recipes[FIELD_COUNT * MAPPING_SOURCES_MAX];
	size_t recipe_count;
	struct field {
		const struct field_rule *rule;
		size_t first, count; /* recipes */
	} all[FIELD_COUNT];
	bool takes_integers;
};

/* `takes_forms`: sources may be fields of a form. */
bool fields_init(struct fields *fields, const struct mapping_config *config, bool takes_forms,
                 struct sluice_error *error);
void fields_finish(struct fields *fields);

/* Sets those of the event, or says what is wrong with one. */
enum sluice_verdict fields_set(const struct fields *fields, const struct reading *reading);

#endif
