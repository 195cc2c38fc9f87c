/*
 * Heads of requests; see request.h.
 */
#include "serve/request.h"

#include <string.h>
#include <strings.h>

void request_head_init(struct request_head *head)
{
	memset(head, 0, offsetof(struct request_head, headers));
}

static void read_length(struct request_head *head, struct sluice_bytes value)
{
	if (head->has_length || value.size == 0 || value.size > 18) {
		head->bad_framing = true;
		return;
	}
	for (size_t i = 0; i < value.size; i++) {
		if (value.data[i] < '0' || value.data[i] > '9') {
			head->bad_framing = true;
			return;
		}
		head->length = head->length * 10 + (uint64_t)(value.data[i] - '0');
	}
	head->has_length = true;
}

static void read_coding(struct request_head *head, struct sluice_bytes value)
{
	if (head->chunked || value.size != 7 || strncasecmp(value.data, "chunked", 7) != 0)
		head->bad_framing = true;
	head->chunked = true;
}

static void read_request_id(struct request_head *head, struct sluice_bytes value)
{
	head->request_id = value;
}

static void read_traceparent(struct request_head *head, struct sluice_bytes value)
{
	head->traceparent = value;
}

static void read_encoding(struct request_head *head, struct sluice_bytes value)
{
	head->content_encoding = value;
}

/* Which of two is meant would be anybody's guess (RFC 9112, section 3.2). */
static void read_host(struct request_head *head, struct sluice_bytes value)
{
	head->repeats_host = head->host.data != NULL;
	head->host = value;
}

static const struct field {
	const char *name;
	size_t size;
	void (*read)(struct request_head *head, struct sluice_bytes value);
} fields[] = {
	{"Content-Length", 14, read_length},     {"Transfer-Encoding", 17, read_coding},
	{"X-Request-Id", 12, read_request_id},   {"traceparent", 11, read_traceparent},
	{"Content-Encoding", 16, read_encoding}, {"Host", 4, read_host},
};

/* A token, RFC 9110, section 5.6.2. A space before the colon, say, would hide a field from the next server. */
static bool is_token(struct sluice_bytes name)
{
	/* One bit for each of the characters ! # $ % & ' * + - . 0-9, and A-Z ^ _ ` a-z | ~ */
	static const uint64_t token_characters[4] = {UINT64_C(0x03ff6cfa00000000), UINT64_C(0x57ffffffc7fffffe)};
	for (size_t i = 0; i < name.size; i++) {
		unsigned char c = (unsigned char)name.data[i];
		if (!(token_characters[c >> 6] >> (c & 63) & 1))
			return false;
	}
	return name.size > 0;
}

/* libmicrohttpd drops the white space before a value, not that behind it. */
static struct sluice_bytes trimmed(struct sluice_bytes value)
{
	while (value.size > 0 && (value.data[value.size - 1] == ' ' || value.data[value.size - 1] == '\t'))
		value.size--;
	return value;
}

void request_add_header(struct request_head *head, struct sluice_bytes name, struct sluice_bytes value)
{
	value = trimmed(value);
	if (head->header_count < REQUEST_HEADERS_MAX)
		head->headers[head->header_count] = (struct sluice_header){name, value};
	head->header_count++;
	head->header_bytes += name.size + value.size + 4;
	if (!is_token(name))
		head->bad_framing = true;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (name.size == fields[i].size && strncasecmp(name.data, fields[i].name, name.size) == 0)
			fields[i].read(head, value);
}

const char *request_framing_conflict(const struct request_head *head)
{
	if (head->has_length && head->chunked)
		return "Content-Length and Transfer-Encoding must not both be sent";
	if (head->bad_framing)
		return "the length of the body is ambiguous: send one Content-Length in digits, or Transfer-Encoding: chunked";
	if (head->chunked && head->is_http_1_0)
		return "HTTP/1.0 does not support Transfer-Encoding";
	if (head->repeats_host)
		return "expected one Host header field, got several";
	return NULL;
}

bool request_is_identity(const struct request_head *head)
{
	struct sluice_bytes encoding = head->content_encoding;
	return encoding.size == 0 || (encoding.size == 8 && strncasecmp(encoding.data, "identity", 8) == 0);
}

bool request_id_is_usable(struct sluice_bytes id)
{
	for (size_t i = 0; i < id.size; i++)
		if (id.data[i] < 0x20 || id.data[i] > 0x7e)
			return false;
	return id.size >= 1 && id.size <= REQUEST_ID_MAX;
}

void request_split_target(const char *target, struct sluice_bytes *path_out, struct sluice_bytes *query_out)
{
	size_t path = strcspn(target, "?");
	*path_out = (struct sluice_bytes){target, path};
	*query_out = (struct sluice_bytes){NULL, 0};
	if (target[path])
		*query_out = (struct sluice_bytes){target + path + 1, strlen(target + path + 1)};
}

static struct sluice_bytes copy(char **at, struct sluice_bytes from)
{
	if (!from.data)
		return from;
	struct sluice_bytes bytes = {*at, from.size};
	memcpy(*at, from.data, from.size);
	(*at)[from.size] = '\0';
	*at += from.size + 1;
	return bytes;
}

bool request_copy(const struct request_head *head, const struct request_facts *facts, struct event *event)
{
	struct sluice_event *pub = &event->pub;
	const struct {
		struct sluice_bytes from, *to;
	} texts[] = {
		{facts->request_id, &pub->request_id}, {facts->method, &pub->method},
		{facts->authority, &pub->authority},   {facts->path, &pub->path},
		{facts->query, &pub->query},           {facts->client_address, &pub->client_address},
	};
	enum { TEXT_COUNT = sizeof(texts) / sizeof(texts[0]) };
	/* The 4 bytes counted between fields leave room for the two NULs. */
	size_t table = head->header_count * sizeof(struct sluice_header), size = table + head->header_bytes;
	for (size_t i = 0; i < TEXT_COUNT; i++)
		size += texts[i].from.size + 1;
	struct sluice_header *headers = event_alloc(event, size);
	if (!headers)
		return false;
	char *at = (char *)headers + table;
	for (size_t i = 0; i < TEXT_COUNT; i++)
		*texts[i].to = copy(&at, texts[i].from);
	for (size_t i = 0; i < head->header_count; i++) {
		headers[i].name = copy(&at, head->headers[i].name);
		headers[i].value = copy(&at, head->headers[i].value);
		if (head->headers[i].value.data == head->traceparent.data)
			pub->traceparent = headers[i].value;
	}
	pub->headers = headers;
	pub->header_count = head->header_count;
	return true;
}
