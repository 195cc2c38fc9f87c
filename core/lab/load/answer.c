/*
 * Reading answers; see answer.h.
 */
#include "lab/load/answer.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void answer_begin(struct answer *answer)
{
	answer->state = ANSWER_HEAD;
	answer->status = 0;
	answer->closes = false;
	answer->retry_after_s = -1;
	answer->left = 0;
	answer->size = 0;
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

static void take_header(struct answer *answer, struct framing *framing, const char *name, const char *value)
{
	uint64_t seconds;
	if (strcasecmp(name, "content-length") == 0) {
		take_length(framing, value);
	} else if (strcasecmp(name, "transfer-encoding") == 0) {
		framing->has_coding = true;
		framing->chunked |= has_token(value, "chunked");
	} else if (strcasecmp(name, "connection") == 0) {
		answer->closes = has_token(value, "close") || (answer->closes && !has_token(value, "keep-alive"));
	} else if (strcasecmp(name, "retry-after") == 0 && read_number(value, 10, &seconds)) {
		answer->retry_after_s = seconds < ANSWER_RETRY_AFTER_MAX_S ? (int64_t)seconds
		                                                           : ANSWER_RETRY_AFTER_MAX_S;
	}
}

/* "HTTP/1.1 202 Accepted": an older minor closes unless it says otherwise. */
static bool take_status_line(struct answer *answer, const char *line)
{
	static const char digits[] = "0123456789";
	if (strncmp(line, "HTTP/1.", 7) != 0 || !isdigit((unsigned char)line[7]) || line[8] != ' ')
		return false;
	const char *status = line + 9;
	answer->status = atoi(status);
	answer->closes = line[7] == '0';
	return strspn(status, digits) == 3 && (status[3] == ' ' || status[3] == '\0') && answer->status >= 100;
}

static enum answer_state state_after_head(struct answer *answer, const struct framing *framing)
{
	if (framing->is_bad)
		return ANSWER_BROKEN;
	if (answer->status < 200) {
		answer_begin(answer); /* 100 Continue and its like announce the answer */
		return ANSWER_HEAD;
	}
	if (answer->status == 204 || answer->status == 304)
		return ANSWER_DONE;
	if (framing->chunked)
		return ANSWER_CHUNK_SIZE;
	if (!framing->has_length || framing->has_coding) { /* RFC 9112, section 6.3 */
		answer->closes = true;
		return ANSWER_UNTIL_EOF;
	}
	answer->left = framing->length;
	return framing->length > 0 ? ANSWER_BODY : ANSWER_DONE;
}

/* The head without its empty line, as one text with CRLF between the lines. */
static enum answer_state read_head(struct answer *answer)
{
	struct framing framing = {0};
	char *rest = NULL;
	const char *line = strtok_r(answer->text, "\r\n", &rest);
	if (!line || !take_status_line(answer, line))
		return ANSWER_BROKEN;
	for (char *header; (header = strtok_r(NULL, "\r\n", &rest)) != NULL;) {
		char *colon = strchr(header, ':');
		if (!colon)
			return ANSWER_BROKEN;
		*colon = '\0';
		take_header(answer, &framing, header, colon + 1 + strspn(colon + 1, " \t"));
	}
	return state_after_head(answer, &framing);
}

static enum answer_state read_chunk_size(struct answer *answer)
{
	answer->text[strcspn(answer->text, "; \t")] = '\0';
	if (!read_number(answer->text, 16, &answer->left))
		return ANSWER_BROKEN;
	return answer->left > 0 ? ANSWER_CHUNK : ANSWER_TRAILER;
}

/* What a complete piece of text leads to. */
static enum answer_state read_text(struct answer *answer)
{
	switch (answer->state) {
	case ANSWER_HEAD:
		return read_head(answer);
	case ANSWER_CHUNK_SIZE:
		return read_chunk_size(answer);
	case ANSWER_CHUNK_END:
		return answer->size == 0 ? ANSWER_CHUNK_SIZE : ANSWER_BROKEN;
	default:
		return answer->size == 0 ? ANSWER_DONE : ANSWER_TRAILER;
	}
}

/* Collects bytes until the text ends: the head with an empty line, anything else with its own. */
static size_t take_text(struct answer *answer, const char *data, size_t size)
{
	const char *const end = answer->state == ANSWER_HEAD ? "\r\n\r\n" : "\r\n";
	size_t end_size = strlen(end);
	for (size_t i = 0; i < size; i++) {
		if (answer->size == ANSWER_HEAD_MAX - 1) {
			answer->state = ANSWER_BROKEN;
			return i;
		}
		answer->text[answer->size++] = data[i];
		if (data[i] != '\n' || answer->size < end_size ||
		    memcmp(answer->text + answer->size - end_size, end, end_size) != 0)
			continue;
		answer->size -= end_size;
		answer->text[answer->size] = '\0';
		answer->state = memchr(answer->text, '\0', answer->size) ? ANSWER_BROKEN : read_text(answer);
		answer->size = 0;
		return i + 1;
	}
	return size;
}

static size_t take_counted(struct answer *answer, size_t size)
{
	size_t taken = size < answer->left ? size : (size_t)answer->left;
	answer->left -= taken;
	if (answer->left == 0)
		answer->state = answer->state == ANSWER_BODY ? ANSWER_DONE : ANSWER_CHUNK_END;
	return taken;
}

size_t answer_take(struct answer *answer, const char *data, size_t size)
{
	size_t at = 0;
	while (at < size && answer->state < ANSWER_DONE) {
		if (answer->state == ANSWER_UNTIL_EOF)
			return size;
		if (answer->state == ANSWER_BODY || answer->state == ANSWER_CHUNK)
			at += take_counted(answer, size - at);
		else
			at += take_text(answer, data + at, size - at);
	}
	return at;
}

void answer_end(struct answer *answer)
{
	if (answer->state == ANSWER_UNTIL_EOF)
		answer->state = ANSWER_DONE;
	else if (answer->state != ANSWER_DONE)
		answer->state = ANSWER_BROKEN;
}
