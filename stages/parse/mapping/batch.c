/*
 * Arrays of events; see batch.h.
 */
#include "batch.h"

#include <string.h>

#include <sluice/extension.h>
#include <sluice/host.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The next element of an array, whose brackets and what was taken before are off the text; absent: there is none left. */
static struct sluice_bytes next_element(struct sluice_bytes *rest)
{
	const char *at = rest->data, *end = rest->data + rest->size;
	while (at < end && (is_space(*at) || *at == ','))
		at++;
	struct sluice_bytes element = {NULL, 0};
	if (at < end)
		element = (struct sluice_bytes){at, span_size((struct sluice_bytes){at, (size_t)(end - at)})};
	at += element.size;
	*rest = (struct sluice_bytes){at, (size_t)(end - at)};
	return element;
}

static size_t count_elements(struct sluice_bytes inside)
{
	size_t count = 0;
	while (next_element(&inside).data)
		count++;
	return count;
}

static enum sluice_verdict answer_empty(struct sluice_event *event)
{
	static const char body[] = "{\"status\":\"accepted\",\"events\":[]}";
	return sluice_respond(event, 200, "application/json", body, strlen(body));
}

enum sluice_verdict batch_split(const struct reading *reading, struct sluice_bytes array, size_t max)
{
	struct sluice_event *event = reading->event;
	const struct sluice_parts *parts = event->host->extension(SLUICE_PARTS);
	struct sluice_bytes inside = span_inside(array);
	size_t count = count_elements(inside);
	if (count == 0)
		return answer_empty(event);
	if (count > max)
		return sluice_reject(event, 413, "the body: expected at most %zu events, got %zu", max, count);
	if (!parts)
		return sluice_fail(event, "this version of Sluice takes one event a request: batch cannot be used");
	struct sluice_bytes *elements = sluice_alloc(event, count * sizeof(*elements));
	if (!elements)
		return sluice_retry(event, 0, "out of memory for the events of the request");
	for (size_t i = 0; i < count; i++)
		elements[i] = next_element(&inside);
	return parts->split(event, elements, count);
}
