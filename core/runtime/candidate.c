/*
 * Which changes may be tried on a part of the traffic; see candidate.h.
 */
#include "runtime/candidate.h"

#include <string.h>

#include "runtime/config.h"
#include "yaml/option.h"

#define OTHER_WAY "use `sluice reload --guard 60s`"

/* Sections are of all requests, whatever arm they come to. */
static bool same_sections(const struct config *config, const struct config *baseline, struct sluice_error *error)
{
	for (const struct config_section *section = config_sections; section->name; section++)
		for (const struct sluice_option *option = section->options; option->type != SLUICE_TYPE_END; option++)
			if (!option_equal(option, (const char *)config + section->offset,
			                  (const char *)baseline + section->offset))
				return sluice_error_set(
					error,
					"%s.%s differs, which is of all requests and cannot be tried on a part of them: " OTHER_WAY,
					section->name, option->name);
	return true;
}

static bool same_until_parsed(const struct config *config, const struct config *baseline, struct sluice_error *error)
{
	for (unsigned kind = SLUICE_KIND_AUTH; kind <= SLUICE_KIND_PARSE; kind++) {
		const bool is_there = config->stages[kind].present || baseline->stages[kind].present;
		if (is_there && !config_same_stage(config, baseline, (enum sluice_kind)kind))
			return sluice_error_set(
				error,
				"the %s stage differs, and a canary's arm is chosen behind it, by the stream: " OTHER_WAY,
				kind_names[kind]);
	}
	return true;
}

static bool is_lasting(const struct config *config)
{
	const struct stage_config *queue = &config->stages[SLUICE_KIND_QUEUE];
	return config->ack == ACK_QUEUED || (queue->present && queue->plugin->ops.of.queue->recover);
}

static const char *text_at(const struct stage_config *stage, const struct sluice_option *option)
{
	const char *text = *(const char *const *)(const void *)((const char *)stage->options + option->offset);
	return text ? text : "";
}

/* By these a stage names its store. */
static bool names_store(const struct sluice_option *option)
{
	return (option->flags &
	        (SLUICE_OPTION_REQUIRED | SLUICE_OPTION_SECRET | SLUICE_OPTION_LOCATION | SLUICE_OPTION_FILE)) != 0;
}

static bool same_name(const struct stage_config *stage, const struct stage_config *other, const char **option_out)
{
	for (const struct sluice_option *option = stage->plugin->ops.options; option->type != SLUICE_TYPE_END;
	     option++) {
		if (!names_store(option))
			continue;
		const struct sluice_option *same = option_find(other->plugin->ops.options, option->name);
		*option_out = option->name;
		if (!same || option->type != SLUICE_TYPE_STRING || same->type != SLUICE_TYPE_STRING ||
		    strcmp(text_at(stage, option), text_at(other, same)) != 0)
			return false;
	}
	return true;
}

static bool same_store(const struct config *config, const struct config *baseline, struct sluice_error *error)
{
	const struct stage_config *stage = &config->stages[SLUICE_KIND_PERSIST];
	const struct stage_config *other = &baseline->stages[SLUICE_KIND_PERSIST];
	const char *option = NULL;
	if (!stage->present || !other->present)
		return sluice_error_set(error, "a canary requires a persist stage in both pipelines");
	if (same_name(stage, other, &option) && same_name(other, stage, &option))
		return true;
	return sluice_error_set(
		error,
		"persist.%s differs: a canary writes to the store of the baseline, which alone knows the ids of both: " OTHER_WAY,
		option);
}

bool candidate_check(const struct config *config, const struct config *baseline, struct sluice_error *error)
{
	if (is_lasting(config) || is_lasting(baseline))
		return sluice_error_set(error,
		                        "a queue that outlives the process cannot be read by a canary beside the "
		                        "baseline: " OTHER_WAY);
	return same_sections(config, baseline, error) && same_until_parsed(config, baseline, error) &&
	       same_store(config, baseline, error);
}
