/*
 * Names of spans; see span_names.h.
 */
#include "runtime/span_names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/stage.h>

#include "base/arena.h"

struct span_names {
	struct span_names *next;
	const char *names[SLUICE_SPANS_MAX + 1];
};

static bool is_same(const char *const *names, const char *const *spans)
{
	size_t i = 0;
	while (i < SLUICE_SPANS_MAX && names[i] && spans[i] && strcmp(names[i], spans[i]) == 0)
		i++;
	return i == SLUICE_SPANS_MAX || (!names[i] && !spans[i]);
}

const char *const *span_names_keep(struct span_names **list, const char *const *spans)
{
	if (!spans || !spans[0])
		return NULL;
	for (const struct span_names *each = *list; each; each = each->next)
		if (is_same(each->names, spans))
			return each->names;
	struct span_names *kept = must_calloc(1, sizeof(*kept));
	for (size_t i = 0; i < SLUICE_SPANS_MAX && spans[i]; i++)
		kept->names[i] = must_strdup(spans[i]);
	kept->next = *list;
	*list = kept;
	return kept->names;
}

void span_names_free(struct span_names **list)
{
	while (*list) {
		struct span_names *names = *list;
		*list = names->next;
		for (size_t i = 0; names->names[i]; i++)
			free((char *)(uintptr_t)names->names[i]);
		free(names);
	}
}
