/*
 * parse/json that takes forms (application/x-www-form-urlencoded) besides: their fields are sources of their own, and one of
 * them may hold JSON.
 */
#include <sluice/stage.h>

#include "mapping/mapping.h"
#include "mapping/scan.h"

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	return mapping_process(stage, event, scan_json);
}

static const struct sluice_option options[] = {
	MAPPING_OPTIONS,
	SLUICE_OPTION_STRING(
		struct mapping_config, form_json, .name = "form_json", .min = 1, .max = 255,
		.help = "the field of a form that holds JSON, which JSON Pointers then lead into: payload at "
			"GitHub and Slack"),
	SLUICE_OPTION_END,
};

static const struct sluice_parse_ops ops = {.process = process, .flags = SLUICE_PARSE_DECODES};

SLUICE_STAGE(parse, ops, .name = "form", .version = SLUICE_VERSION,
             .summary = "extracts the fields of an event from a form, or from a JSON body as parse/json does",
             .options = options, .config_size = sizeof(struct mapping_config), .check = mapping_check_forms,
             .create = mapping_create, .destroy = mapping_destroy, .extensions = mapping_extensions);
