/*
 * Requests as text; see request.h.
 */
#include "conform/request.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"

/* One line without its end; the rest begins behind it. */
static char *take_line(char **rest)
{
	char *line = *rest, *end = line + strcspn(line, "\n");
	*rest = *end ? end + 1 : end;
	*end = '\0';
	if (end > line && end[-1] == '\r')
		end[-1] = '\0';
	return line;
}

static void take_header(struct check *check, struct request *request, char *line, char *colon)
{
	if (request->header_count == REQUEST_HEADERS_MAX)
		check_skip(check, "the request has more than %d headers", REQUEST_HEADERS_MAX);
	*colon = '\0';
	const char *value = colon + 1 + strspn(colon + 1, " \t");
	request->headers[request->header_count++] = (struct request_header){line, value};
	struct tm date = {0};
	if (strcasecmp(line, "Host") == 0)
		request->authority = value;
	if (strcasecmp(line, "Date") == 0 && strptime(value, "%a, %d %b %Y %H:%M:%S", &date)) {
		bench_set_clock((int64_t)timegm(&date) * NS_PER_S);
		request->has_date = true;
	}
}

/* "POST /webhooks HTTP/1.1" */
static void take_request_line(struct request *request, char *line)
{
	char *rest = line;
	request->method = strsep(&rest, " ");
	request->target = rest ? strsep(&rest, " ") : NULL;
}

void request_parse(struct check *check, char *text, size_t size, struct request *request_out)
{
	char *rest = text, *line;
	*request_out = (struct request){0};
	while (*rest && *(line = take_line(&rest))) {
		char *colon = strchr(line, ':'), *space = strchr(line, ' ');
		if (colon && (!space || colon < space))
			take_header(check, request_out, line, colon);
		else
			take_request_line(request_out, line);
	}
	request_out->body = (struct sluice_bytes){rest, size - (size_t)(rest - text)};
}

struct sluice_event *request_event(struct bench *bench, const struct request *request)
{
	struct sluice_event *event = bench_event(bench);
	bench_set_target(event, request->method, request->target, request->authority);
	return event;
}
