/*
 * Responses by stages; see response.h.
 */
#include "runtime/response.h"

#include <string.h>
#include <strings.h>

#include <sluice/host.h>

#include "runtime/event.h"

/* Set by the server alone: framing, and what every response has. */
static const char *const reserved[] = {
	"Connection",    "Content-Encoding", "Content-Length",    "Content-Type", "Date",        "Keep-Alive",
	"Server-Timing", "Trailer",          "Transfer-Encoding", "Upgrade",      "X-Request-Id"};

/* RFC 9110, section 5.6.2. */
static bool is_token(const char *text)
{
	static const char allowed[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	return text[0] && text[strspn(text, allowed)] == '\0';
}

static bool is_reserved(const char *name)
{
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (strcasecmp(reserved[i], name) == 0)
			return true;
	return false;
}

/* RFC 9110, section 5.5: no control characters but the tab; and not empty, which libmicrohttpd would not send. */
static bool is_value(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
			return false;
	return true;
}

bool response_takes_name(const char *name)
{
	return is_token(name) && !is_reserved(name);
}

bool response_takes_header(const char *name, const char *value)
{
	return response_takes_name(name) && is_value(value);
}

static struct response_header *find(struct event *event, const char *name)
{
	struct response_header *header = event->response.headers;
	while (header && strcasecmp(header->name.data, name) != 0)
		header = header->next;
	return header;
}

static struct response_header *add(struct event *event, const char *name)
{
	struct response *response = &event->response;
	struct response_header *header = event_alloc(event, sizeof(*header));
	struct sluice_bytes copy = sluice_copy(&event->pub, name, strlen(name));
	if (!header || !copy.data)
		return NULL;
	*header = (struct response_header){.name = copy, .value = {"", 0}, .next = response->headers};
	response->headers = header;
	response->header_bytes += copy.size + strlen(": \r\n");
	return header;
}

bool event_set_header(struct event *event, const char *name, const char *value)
{
	struct response *response = &event->response;
	if (event->was_put || event->at >= SLUICE_KIND_QUEUE || !response_takes_header(name, value))
		return false;
	struct response_header *header = find(event, name);
	size_t size = strlen(value);
	size_t others = response->header_bytes + (header ? 0 : strlen(name) + strlen(": \r\n")) -
	                (header ? header->value.size : 0);
	if (others + size > RESPONSE_HEADER_BYTES_MAX)
		return false;
	struct sluice_bytes copy = sluice_copy(&event->pub, value, size);
	if (copy.data && !header)
		header = add(event, name);
	if (!copy.data || !header)
		return false;
	header->value = copy;
	response->header_bytes = others + size;
	return true;
}

bool response_is_valid(int status, const char *type, size_t size)
{
	bool is_status = (status >= 200 && status <= 299) || (status >= 400 && status <= 499);
	bool has_body = status != 204 && status != 205;
	return is_status && strchr(type, '/') && is_value(type) && size <= RESPONSE_BODY_MAX && (has_body || size == 0);
}

bool event_respond(struct event *event, int status, const char *type, const void *body, size_t size)
{
	if (!response_is_valid(status, type, size)) {
		event->response.status = RESPONSE_INVALID;
		return true;
	}
	struct sluice_bytes type_copy = sluice_copy(&event->pub, type, strlen(type));
	struct sluice_bytes body_copy = sluice_copy(&event->pub, body, size);
	if (!type_copy.data || !body_copy.data)
		return false;
	event->response.status = status;
	event->response.type = type_copy;
	event->response.body = body_copy;
	return true;
}
