/*
 * OpenMetrics; see open_metrics.h. The two formats differ in the names of counters and of what is only informative, in what may stand
 * behind a sample, and at the end.
 */
#include "serve/open_metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

static const char histogram[] = "webhook_http_latency_by_stage_ms_bucket{stage=\"";

/* The weight of a media type in a list, in thousandths; -1: it is not there. */
static int weight_of(const char *list, const char *type)
{
	size_t length = strlen(type);
	int weight = -1;
	while (*list) {
		list += strspn(list, " \t,");
		size_t element = strcspn(list, ",");
		if (element >= length && strncasecmp(list, type, length) == 0 && strcspn(list, " \t,;") == length) {
			const char *q = memmem(list, element, "q=", 2);
			int found = q ? (int)(strtod(q + 2, NULL) * 1000) : 1000;
			weight = found > weight ? found : weight;
		}
		list += element;
	}
	return weight;
}

bool open_metrics_is_accepted(const char *accept)
{
	if (!accept)
		return false;
	int open = weight_of(accept, "application/openmetrics-text");
	return open > 0 && open >= weight_of(accept, "text/plain");
}

static bool ends_with(const char *text, size_t size, const char *end)
{
	size_t length = strlen(end);
	return size >= length && memcmp(text + size - length, end, length) == 0;
}

/* "# HELP NAME …" or "# TYPE NAME …": a family is called without what its samples are called by. */
static void convert_head(const char *line, size_t size, struct buffer *out)
{
	static const size_t before = sizeof("# HELP ") - 1;
	const char *name = line + before;
	size_t length = strcspn(name, " ");
	const char *rest = name + length;
	bool is_info = ends_with(name, length, "_info");
	size_t kept = ends_with(name, length, "_total") ? length - 6 : is_info ? length - 5 : length;
	buffer_add(out, line, before + kept);
	if (is_info && line[2] == 'T')
		buffer_add_text(out, " info");
	else
		buffer_add(out, rest, (size_t)(line + size - rest));
}

static void add_exemplar(const char *line, struct exemplars *exemplars, struct buffer *out)
{
	char stage[32];
	struct exemplar exemplar;
	const char *name = line + sizeof(histogram) - 1, *le = strstr(name, "le=\"");
	if (!le)
		return;
	(void)snprintf(stage, sizeof(stage), "%.*s", (int)strcspn(name, "\""), name);
	size_t bucket = 0;
	double bound = strtod(le + 4, NULL); /* infinity, too */
	while (bucket < EXEMPLAR_BOUNDS && exemplar_bounds[bucket] < bound)
		bucket++;
	if (exemplars_get(exemplars, stage, bucket, &exemplar))
		buffer_printf(out, " # {trace_id=\"%s\"} %.6f %.3f", exemplar.trace_id, exemplar.value_ms,
		              (double)exemplar.wall_ns / (double)NS_PER_S);
}

void open_metrics_convert(const struct buffer *text, struct exemplars *exemplars, struct buffer *out)
{
	const char *end = text->data + text->size;
	for (const char *line = text->data; line < end; line++) {
		size_t size = (size_t)((const char *)memchr(line, '\n', (size_t)(end - line)) - line);
		if (*line == '#')
			convert_head(line, size, out);
		else
			buffer_add(out, line, size);
		if (strncmp(line, histogram, sizeof(histogram) - 1) == 0)
			add_exemplar(line, exemplars, out);
		buffer_add_text(out, "\n");
		line += size;
	}
	buffer_add_text(out, "# EOF\n");
}
