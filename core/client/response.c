/*
 * Reading responses; see response.h.
 */
#include "client/response.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void http_response_begin(struct http_response *response)
{
	response->state = RESPONSE_HEAD;
	response->status = 0;
	response->closes = false;
	response->retry_after_s = -1;
	response->left = 0;
	response->size = 0;
}

/* Whether the comma-separated list has the word. */
static bool has_token(const char *list, const char *word)
{
	size_t length = strlen(word);
	for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',') {
		at += strspn(at, " \t");
		if (strncasecmp(at, word, length) == 0 && strchr(" \t,", at[length]))
			return true;
	}
	return false;
}

/* The whole text as digits of that base, and nothing else that strtoull() takes; false: it is no such number. */
static bool read_number(const char *text, int base, uint64_t *out)
{
	size_t digits = strspn(text, base == 16 ? "0123456789abcdefABCDEF" : "0123456789");
	errno = 0;
	*out = strtoull(text, NULL, base);
	return digits > 0 && errno == 0 && text[digits + strspn(text + digits, " \t")] == '\0';
}

/* What the headers say of the body. */
struct framing {
	bool has_length, has_coding, chunked, is_bad;
	uint64_t length;
};

static void take_length(struct framing *framing, const char *value)
{
	uint64_t length;
	framing->is_bad |= !read_number(value, 10, &length) || (framing->has_length && framing->length != length);
	framing->length = length;
	framing->has_length = true;
}

static void take_header(struct http_response *response, struct framing *framing, const char *name, const char *value)
{
	uint64_t seconds;
	if (strcasecmp(name, "content-length") == 0) {
		take_length(framing, value);
	} else if (strcasecmp(name, "transfer-encoding") == 0) {
		framing->has_coding = true;
		framing->chunked |= has_token(value, "chunked");
	} else if (strcasecmp(name, "connection") == 0) {
		response->closes = has_token(value, "close") || (response->closes && !has_token(value, "keep-alive"));
	} else if (strcasecmp(name, "retry-after") == 0 && read_number(value, 10, &seconds)) {
		response->retry_after_s = seconds < RESPONSE_RETRY_AFTER_MAX_S ? (int64_t)seconds
		                                                               : RESPONSE_RETRY_AFTER_MAX_S;
	}
}

/* "HTTP/1.1 202 Accepted": an older minor closes unless it says otherwise. */
static bool take_status_line(struct http_response *response, const char *line)
{
	static const char digits[] = "0123456789";
	if (strncmp(line, "HTTP/1.", 7) != 0 || !isdigit((unsigned char)line[7]) || line[8] != ' ')
		return false;
	const char *status = line + 9;
	response->status = atoi(status);
	response->closes = line[7] == '0';
	return strspn(status, digits) == 3 && (status[3] == ' ' || status[3] == '\0') && response->status >= 100;
}

static enum http_response_state state_after_head(struct http_response *response, const struct framing *framing)
{
	if (framing->is_bad)
		return RESPONSE_BROKEN;
	if (response->status < 200) {
		http_response_begin(response); /* 100 Continue and its like announce the response */
		return RESPONSE_HEAD;
	}
	if (response->status == 204 || response->status == 304)
		return RESPONSE_DONE;
	if (framing->chunked)
		return RESPONSE_CHUNK_SIZE;
	if (!framing->has_length || framing->has_coding) { /* RFC 9112, section 6.3 */
		response->closes = true;
		return RESPONSE_UNTIL_EOF;
	}
	response->left = framing->length;
	return framing->length > 0 ? RESPONSE_BODY : RESPONSE_DONE;
}

/* The head without its empty line, as one text with CRLF between the lines. */
static enum http_response_state read_head(struct http_response *response)
{
	struct framing framing = {0};
	char *rest = NULL;
	const char *line = strtok_r(response->text, "\r\n", &rest);
	if (!line || !take_status_line(response, line))
		return RESPONSE_BROKEN;
	for (char *header; (header = strtok_r(NULL, "\r\n", &rest)) != NULL;) {
		char *colon = strchr(header, ':');
		if (!colon)
			return RESPONSE_BROKEN;
		*colon = '\0';
		take_header(response, &framing, header, colon + 1 + strspn(colon + 1, " \t"));
	}
	return state_after_head(response, &framing);
}

static enum http_response_state read_chunk_size(struct http_response *response)
{
	response->text[strcspn(response->text, "; \t")] = '\0';
	if (!read_number(response->text, 16, &response->left))
		return RESPONSE_BROKEN;
	return response->left > 0 ? RESPONSE_CHUNK : RESPONSE_TRAILER;
}

/* What a complete piece of text leads to. */
static enum http_response_state read_text(struct http_response *response)
{
	switch (response->state) {
	case RESPONSE_HEAD:
		return read_head(response);
	case RESPONSE_CHUNK_SIZE:
		return read_chunk_size(response);
	case RESPONSE_CHUNK_END:
		return response->size == 0 ? RESPONSE_CHUNK_SIZE : RESPONSE_BROKEN;
	default:
		return response->size == 0 ? RESPONSE_DONE : RESPONSE_TRAILER;
	}
}

/* Collects bytes until the text ends: the head with an empty line, anything else with its own. */
static size_t take_text(struct http_response *response, const char *data, size_t size)
{
	const char *const end = response->state == RESPONSE_HEAD ? "\r\n\r\n" : "\r\n";
	size_t end_size = strlen(end);
	for (size_t i = 0; i < size; i++) {
		if (response->size == RESPONSE_HEAD_MAX - 1) {
			response->state = RESPONSE_BROKEN;
			return i;
		}
		response->text[response->size++] = data[i];
		if (data[i] != '\n' || response->size < end_size ||
		    memcmp(response->text + response->size - end_size, end, end_size) != 0)
			continue;
		response->size -= end_size;
		response->text[response->size] = '\0';
		response->state = memchr(response->text, '\0', response->size) ? RESPONSE_BROKEN : read_text(response);
		response->size = 0;
		return i + 1;
	}
	return size;
}

static void take_body(struct http_response *response, const char *data, size_t size)
{
	if (response->body)
		buffer_add(response->body, data, size);
}

static size_t take_counted(struct http_response *response, const char *data, size_t size)
{
	size_t taken = size < response->left ? size : (size_t)response->left;
	take_body(response, data, taken);
	response->left -= taken;
	if (response->left == 0)
		response->state = response->state == RESPONSE_BODY ? RESPONSE_DONE : RESPONSE_CHUNK_END;
	return taken;
}

size_t http_response_take(struct http_response *response, const char *data, size_t size)
{
	size_t at = 0;
	while (at < size && response->state < RESPONSE_DONE) {
		if (response->state == RESPONSE_UNTIL_EOF) {
			take_body(response, data + at, size - at);
			return size;
		}
		if (response->state == RESPONSE_BODY || response->state == RESPONSE_CHUNK)
			at += take_counted(response, data + at, size - at);
		else
			at += take_text(response, data + at, size - at);
	}
	return at;
}

void http_response_end(struct http_response *response)
{
	if (response->state == RESPONSE_UNTIL_EOF)
		response->state = RESPONSE_DONE;
	else if (response->state != RESPONSE_DONE)
		response->state = RESPONSE_BROKEN;
}
