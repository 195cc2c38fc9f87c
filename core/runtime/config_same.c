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
	return same_core_options(config, other, SLUICE_KIND_QUEUE) &&
	       same_core_options(config, other, SLUICE_KIND_PERSIST);
}
