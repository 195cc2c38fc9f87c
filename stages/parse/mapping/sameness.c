/*
 * Sameness; see sameness.h.
 */
#include "sameness.h"

#include <string.h>

#include <sluice/host.h>

#include "scan.h"

static const char first_wins[] = "first-wins";

static bool add_member(struct source_list *list, const char *text, struct sluice_error *error)
{
	struct source *source = &list->items[list->count];
	if (!source_parse(source, text, error))
		return false;
	list->count++;
	return source->kind == SOURCE_POINTER ||
	       sluice_error_set(error, "expected JSON Pointers into the payload, got \"%s\"", text);
}

static bool add_members(struct source_list *list, const struct sluice_strings *texts, struct sluice_error *error)
{
	for (size_t i = 0; i < texts->count; i++)
		if (!add_member(list, texts->items[i], error))
			return false;
	return true;
}

bool sameness_init(struct sameness *sameness, const struct sluice_strings *texts, struct sluice_error *error)
{
	struct sluice_error cause = {0};
	sameness->members.count = 0;
	sameness->first_wins = texts->count == 1 && strcmp(texts->items[0], first_wins) == 0;
	if (sameness->first_wins || add_members(&sameness->members, texts, &cause))
		return true;
	sameness_finish(sameness);
	return sluice_error_set(error, "sameness: %s", cause.text);
}

void sameness_finish(struct sameness *sameness)
{
	for (size_t i = 0; i < sameness->members.count; i++)
		source_finish(&sameness->members.items[i]);
	sameness->members.count = 0;
}

static bool equal(struct sluice_bytes a, struct sluice_bytes b)
{
	return !a.data == !b.data && sluice_bytes_equal(a, b);
}

/* False: it is no JSON, or there is no memory to find that out. */
static bool find_members(const struct source_list *list, struct sluice_event *event, struct sluice_bytes payload,
                         struct sluice_bytes spans[SAMENESS_MEMBERS_MAX])
{
	struct paths paths;
	paths.sources = list->items;
	paths.source_count = list->count;
	paths.spans = spans;
	paths_init(&paths, event, payload);
	struct scan scan = {.text = payload, .max_depth = SCAN_DEPTH_MAX, .paths = &paths};
	if (!scan_json(&scan))
		return false;
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].pointer.count == 0)
			spans[i] = scan.root;
	return true;
}

static bool same_members(const struct source_list *list, struct sluice_event *event, struct sluice_bytes stored)
{
	struct sluice_bytes ours[SAMENESS_MEMBERS_MAX], theirs[SAMENESS_MEMBERS_MAX];
	if (!find_members(list, event, event->payload, ours) || !find_members(list, event, stored, theirs))
		return false;
	for (size_t i = 0; i < list->count; i++)
		if (!equal(ours[i], theirs[i]))
			return false;
	return true;
}

bool sameness_holds(const struct sameness *sameness, struct sluice_event *event, const struct sluice_record *stored)
{
	if (sameness->first_wins)
		return true;
	bool same_sequence = event->has_sequence == stored->has_sequence &&
	                     (!event->has_sequence || event->sequence == stored->sequence);
	return same_sequence && sluice_bytes_equal(event->event_type, stored->event_type) &&
	       equal(event->stream, stored->stream) && same_members(&sameness->members, event, stored->payload);
}
