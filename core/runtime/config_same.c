/*
 * What two configs have in common, for a generation that takes over what another one has.
 */
#include <string.h>

#include "runtime/config.h"
#include "runtime/settings.h"
#include "yaml/option.h"

bool config_same_stage(const struct config *config, const struct config *other, enum sluice_kind kind)
{
	const struct stage_config *a = &config->stages[kind], *b = &other->stages[kind];
	if (!a->present || !b->present)
		return false;
	return strcmp(a->plugin->sha256, b->plugin->sha256) == 0 &&
	       options_equal(a->plugin->ops.options, a->options, b->options);
}

static bool same_core_options(const struct config *config, const struct config *other, enum sluice_kind kind)
{
	const size_t offset = settings_kind_offset(kind);
	return options_equal(config_kind_options(kind), (const char *)config + offset, (const char *)other + offset);
}

bool config_same_workers(const struct config *config, const struct config *other)
{
	return config_measures_cpu(config) == config_measures_cpu(other) &&
	       same_core_options(config, other, SLUICE_KIND_QUEUE) &&
	       same_core_options(config, other, SLUICE_KIND_PERSIST);
}

static bool same_sections(const struct config *config, const struct config *other)
{
	for (const struct config_section *section = config_sections; section->name; section++)
		if (!options_equal(section->options, (const char *)config + section->offset,
		                   (const char *)other + section->offset))
			return false;
	return true;
}

bool config_same(const struct config *config, const struct config *other)
{
	if (strcmp(config->name, other->name) != 0 || config->ack != other->ack || !same_sections(config, other) ||
	    !config_same_workers(config, other))
		return false;
	for (int i = 0; i < KIND_COUNT; i++) {
		enum sluice_kind kind = (enum sluice_kind)i;
		if ((config->stages[i].present || other->stages[i].present) && !config_same_stage(config, other, kind))
			return false;
	}
	return true;
}
