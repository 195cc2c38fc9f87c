/*
 * Methods besides POST; see methods.h.
 */
#include "runtime/methods.h"

#include <string.h>

#include <sluice/extension.h>

#include "runtime/config.h"

static const struct {
	const char *name;
	unsigned bit;
} known[] = {{"GET", METHOD_GET}, {"HEAD", METHOD_HEAD}, {"OPTIONS", METHOD_OPTIONS}, {"POST", METHOD_POST}};

enum { KNOWN = sizeof(known) / sizeof(known[0]) };

unsigned methods_of(const struct stage_config *auth)
{
	const struct sluice_request_methods *table =
		auth->present ? sluice_extension_find(auth->plugin->ops.extensions, SLUICE_REQUEST_METHODS) : NULL;
	unsigned methods = 0;
	for (size_t i = 0; table && i < KNOWN; i++)
		if (table->takes(auth->options, known[i].name))
			methods |= known[i].bit;
	return methods;
}

bool methods_have(unsigned methods, const char *method)
{
	for (size_t i = 0; i < KNOWN; i++)
		if ((methods & known[i].bit) && strcmp(known[i].name, method) == 0)
			return true;
	return false;
}

bool methods_is_post(const struct sluice_event *event)
{
	return !event->method.data || (event->method.size == 4 && memcmp(event->method.data, "POST", 4) == 0);
}
