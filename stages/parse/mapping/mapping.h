/*
 * How the fields of an event are taken out of a JSON body: what every stage shares that reads one. The options, their
 * sources, what each field must be, the sentences for the sender. Only how the text is scanned is the stage's own.
 *
 * A stage has mapping_options as its options, sizeof(struct mapping_config) as the size of its config, and these as its
 * check(), create() and destroy().
 */
#ifndef MAPPING_MAPPING_H
#define MAPPING_MAPPING_H

#include <sluice/stage.h>

#include "scan.h"

struct mapping_config {
	struct sluice_strings message_id, event_type, payload, stream, sequence;
	int64_t max_depth;
	bool integer_texts;
};

extern const struct sluice_option mapping_options[];

bool mapping_check(const void *config, struct sluice_error *error);
bool mapping_create(struct sluice_stage *stage, struct sluice_error *error);
void mapping_destroy(struct sluice_stage *stage);

/* `scan` agrees with scan_json() in all that struct scan says. */
enum sluice_verdict mapping_process(struct sluice_stage *stage, struct sluice_event *event,
                                    bool (*scan)(struct scan *scan));

#endif
