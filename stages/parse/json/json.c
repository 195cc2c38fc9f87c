/*
 * Takes message id, event type, stream, sequence and payload out of a JSON body, byte for byte: the plain scanner of
 * mapping/scan.h with the fields of mapping/mapping.h.
 */
#include <sluice/stage.h>

#include "mapping/mapping.h"
#include "mapping/scan.h"

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	return mapping_process(stage, event, scan_json);
}

static const struct sluice_parse_ops ops = {.process = process};

SLUICE_STAGE(parse, ops, .name = "json", .version = SLUICE_VERSION,
             .summary = "extracts the fields of an event from a JSON body and keeps the payload's exact bytes",
             .options = mapping_options, .config_size = sizeof(struct mapping_config), .check = mapping_check,
             .create = mapping_create, .destroy = mapping_destroy, .extensions = mapping_extensions);
