/*
 * A provider by its name; see provider_choice.h.
 */
#include "cli/server/provider_choice.h"

#include "yaml/option.h"

static const char *name_at(const void *context, size_t i)
{
	(void)context;
	return providers[i].name;
}

bool provider_choose(const char *name, const struct provider **provider_out, struct sluice_error *error)
{
	*provider_out = provider_find(name);
	if (*provider_out)
		return true;
	const char *close = option_did_you_mean(name, PROVIDER_COUNT, name_at, NULL);
	return sluice_error_set(error, "there is no provider \"%s\"%s%s%s; `sluice providers` lists them", name,
	                        close ? "; did you mean " : "", close ? close : "", close ? "?" : "");
}
