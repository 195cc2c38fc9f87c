/*
 * The table of providers; see provider.h.
 */
#include "sign/provider.h"

#include <string.h>

#include "sign/forms.h"

const char *const provider_names[] = {
	"none",
#define PROVIDER(name_, title_, ...) name_,
#include "sign/providers.inc"
#undef PROVIDER
	NULL,
};

const struct provider providers[PROVIDER_COUNT] = {
#define PROVIDER(name_, title_, ...) {.name = name_, .title = title_, __VA_ARGS__},
#include "sign/providers.inc"
#undef PROVIDER
};

const struct provider *provider_find(const char *name)
{
	for (size_t i = 0; i < PROVIDER_COUNT; i++)
		if (strcmp(providers[i].name, name) == 0)
			return &providers[i];
	return NULL;
}

const char *provider_stage(const struct provider *provider)
{
	if (algorithm_is_shared(provider->scheme.algorithm))
		return "hmac";
	return algorithm_is_public(provider->scheme.algorithm) ? "signature" : "none";
}
