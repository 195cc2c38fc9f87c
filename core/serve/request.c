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

/* The framing is checked: it is digits, and stands once. */
static void read_length(struct request_head *head, struct sluice_bytes value)
{
	head->has_length = true;
	for (size_t i = 0; i < value.size; i++)
		head->length = head->length * 10 + (uint64_t)(value.data[i] - '0');
}

static void read_coding(struct request_head *head, struct sluice_bytes value)
{
	(void)value;
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
	static const struct sluice_bytes several = {"several", 7};
	head->content_encoding = head->content_encoding.data ? several : value;
}

static void read_host(struct request_head *head, struct sluice_bytes value)
{
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
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (name.size == fields[i].size && strncasecmp(name.data, fields[i].name, name.size) == 0)
			fields[i].read(head, value);
}

enum content_coding request_coding(const struct request_head *head)
{
	/* RFC 9110, section 8.4.1.3: x-gzip is gzip. */
	static const struct {
		const char *name;
		enum content_coding coding;
	} codings[] = {{"", CODING_IDENTITY},
	               {"identity", CODING_IDENTITY},
	               {"gzip", CODING_GZIP},
	               {"x-gzip", CODING_GZIP},
	               {"deflate", CODING_DEFLATE}};
	struct sluice_bytes name = head->content_encoding;
	for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++)
		if (name.size == strlen(codings[i].name) &&
		    (name.size == 0 || strncasecmp(name.data, codings[i].name, name.size) == 0))
			return codings[i].coding;
	return CODING_UNKNOWN;
}

bool request_id_is_usable(struct sluice_bytes id)
{
	for (size_t i = 0; i < id.size; i++)
		if (id.data[i] < 0x20 || id.data[i] > 0x7e)
			return false;
	return id.size >= 1 && id.size <= REQUEST_ID_MAX;
}

/* The length of "http://" or "https://" at the front; 0: it has another form. */
static size_t scheme_size(const char *target)
{
	static const char *const schemes[] = {"http://", "https://"};
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncasecmp(target, schemes[i], strlen(schemes[i])) == 0)
			return strlen(schemes[i]);
	return 0;
}

bool request_split_target(const char *target, struct request_facts *facts)
{
	size_t scheme = scheme_size(target);
	if (scheme) {
		size_t size = strcspn(target += scheme, "/?");
		if (size == 0 || strspn(target, REQUEST_AUTHORITY_CHARACTERS) < size)
			return false;
		facts->authority = (struct sluice_bytes){target, size};
		target += size;
	} else if (*target != '/') {
		return false;
	}
	size_t path = strcspn(target, "?");
	facts->path = path ? (struct sluice_bytes){target, path} : (struct sluice_bytes){"/", 1};
	facts->query = (struct sluice_bytes){NULL, 0};
	if (target[path])
		facts->query = (struct sluice_bytes){target + path + 1, strlen(target + path + 1)};
	return true;
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;
	return at && (c <= '9' || c >= 'A') ? (int)(at - digits) : -1;
}

/* The next character of the path, percent-decoded, and how many bytes it takes. */
static size_t decode(struct sluice_bytes path, char *out)
{
	*out = path.data[0];
	if (*out != '%' || path.size < 3)
		return 1;
	int high = hex_digit(path.data[1]), low = hex_digit(path.data[2]);
	if (high < 0 || low < 0)
		return 1;
	*out = (char)(high << 4 | low);
	return 3;
}

bool request_path_is(struct sluice_bytes path, const char *wanted)
{
	char c = '\0';
	while (path.size) {
		size_t size = decode(path, &c);
		if (!*wanted || c != *wanted)
			return !*wanted && c == '/' && path.size == size;
		path = (struct sluice_bytes){path.data + size, path.size - size};
		wanted++;
	}
	return !*wanted || (strcmp(wanted, "/") == 0 && c != '/');
}

/* The next character, in lower case; a slash for any number of them, but none at the end; NUL there. */
static char next_letter(struct sluice_bytes *path)
{
	char c = '\0';
	bool slashes = false;
	while (path->size) {
		size_t size = decode(*path, &c);
		if (c != '/' && slashes)
			return '/';
		*path = (struct sluice_bytes){path->data + size, path->size - size};
		if (c != '/')
			return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
		slashes = true;
	}
	return '\0';
}

bool request_path_resembles(struct sluice_bytes path, const char *wanted)
{
	struct sluice_bytes rest = {wanted, strlen(wanted)};
	for (;;) {
		char c = next_letter(&path);
		if (c != next_letter(&rest))
			return false;
		if (!c)
			return true;
	}
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
