/*
 * Reads a form (application/x-www-form-urlencoded) with the fields id, type, stream and data, and what can be wrong with
 * that. Each stage of this folder is it with one of the flaws of plain_form.h; without a flaw it keeps every promise of
 * its kind. It shows that a parser needs no JSON to be checked.
 */
#include <stdlib.h>

#include <sluice/stage.h>

#include "plain_form.h"

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

/* False: a percent sign without its two digits. */
static bool decode(struct sluice_bytes text, char *out, size_t *size_out)
{
	size_t size = 0;
	for (size_t i = 0; i < text.size; i++) {
		int high = text.data[i] == '%' && i + 2 < text.size ? digit(text.data[i + 1]) : -1;
		int low = high >= 0 ? digit(text.data[i + 2]) : -1;
		if (text.data[i] == '%' && (flaw == MISSES_ZEROS ? low <= 0 : low < 0))
			return false;
		if (text.data[i] == '%') {
			out[size++] = (char)(high * 16 + low);
			i += 2;
		} else {
			out[size++] = text.data[i] == '+' ? ' ' : text.data[i];
		}
	}
	*size_out = size;
	return true;
}

/* How long the character at `at` is; 0: it is none (RFC 3629). */
static size_t character(const unsigned char *at, size_t left)
{
	static const struct {
		unsigned char first, last, least, most; /* of the first byte; of the second */
		size_t size;
	} forms[] = {{0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	             {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	             {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (at[0] < forms[i].first || at[0] > forms[i].last)
			continue;
		bool fits = forms[i].size <= left &&
		            (forms[i].size == 1 || (at[1] >= forms[i].least && at[1] <= forms[i].most));
		for (size_t n = 2; fits && n < forms[i].size; n++)
			fits = at[n] >= 0x80 && at[n] <= 0xbf;
		return fits ? forms[i].size : 0;
	}
	return 0;
}

static bool is_text(struct sluice_bytes bytes)
{
	for (size_t i = 0, step; i < bytes.size; i += step) {
		step = character((const unsigned char *)bytes.data + i, bytes.size - i);
		if (step == 0 || bytes.data[i] == '\0')
			return false;
	}
	return true;
}

static struct sluice_bytes next_pair(struct sluice_bytes *rest)
{
	const char *end = rest->size ? memchr(rest->data, '&', rest->size) : NULL;
	size_t size = end ? (size_t)(end - rest->data) : rest->size;
	struct sluice_bytes pair = {rest->data, size};
	size_t step = end ? size + 1 : size;
	*rest = (struct sluice_bytes){rest->data + step, rest->size - step};
	return pair;
}

enum { ID, TYPE, STREAM, DATA, FIELDS };

enum outcome { GOOD, BAD, NO_MEMORY };

static enum outcome read_fields(struct sluice_event *event, struct sluice_bytes fields[FIELDS])
{
	static const char *const names[FIELDS] = {"id", "type", "stream", "data"};
	struct sluice_bytes rest = event->body;
	while (rest.size) {
		struct sluice_bytes pair = next_pair(&rest);
		const char *equals = pair.size ? memchr(pair.data, '=', pair.size) : NULL;
		for (int i = 0; equals && i < FIELDS; i++) {
			size_t name_size = (size_t)(equals - pair.data), size;
			if (name_size != strlen(names[i]) || memcmp(pair.data, names[i], name_size) != 0)
				continue;
			char *copy = sluice_alloc(event, pair.size);
			if (!copy)
				return NO_MEMORY;
			struct sluice_bytes value = {equals + 1, pair.size - name_size - 1};
			if (fields[i].data || !decode(value, copy, &size))
				return BAD;
			fields[i] = (struct sluice_bytes){copy, size};
		}
	}
	return GOOD;
}

static bool is_name(struct sluice_bytes bytes, bool is_id)
{
	bool is_short = bytes.size <= SLUICE_NAME_MAX || (is_id && flaw == TAKES_LONG_IDS);
	return is_short && ((is_id && flaw == TAKES_ANY_BYTES) || is_text(bytes));
}

static void misbehave(struct sluice_event *event)
{
	static char shared[SLUICE_NAME_MAX];
	if (flaw == LEAKS_PER_EVENT) {
		char *volatile lost = malloc(8);
		(void)lost;
	}
	if (flaw != SHARES_A_BUFFER)
		return;
	memcpy(shared, event->message_id.data, event->message_id.size);
	event->message_id.data = shared;
}

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	struct sluice_bytes fields[FIELDS] = {{NULL, 0}};
	enum outcome outcome = read_fields(event, fields);
	if (outcome == NO_MEMORY)
		return sluice_retry(event, 0, "the bound on bytes in flight is reached");
	if (outcome == BAD)
		return sluice_reject(event, 400, "the form is malformed, or has a field twice");
	if (!fields[ID].size || !fields[TYPE].data || !fields[DATA].data)
		return sluice_reject(event, 400, "expected the fields id, type and data");
	for (int i = ID; i <= STREAM; i++) {
		if (!is_name(fields[i], i == ID))
			return sluice_reject(event, 400, "expected names of up to 255 bytes of UTF-8");
	}
	event->message_id = fields[ID];
	event->event_type = fields[flaw == CONFUSES_ITS_FIELDS && fields[STREAM].size ? STREAM : TYPE];
	event->stream = fields[STREAM].size ? fields[STREAM] : (struct sluice_bytes){NULL, 0};
	event->payload = fields[DATA];
	misbehave(event);
	return SLUICE_PASS;
}

static const struct sluice_parse_ops ops = {.process = process, .flags = SLUICE_PARSE_DECODES};

SLUICE_STAGE(parse, ops, .name = "plain_form", .version = "1.0.0", .summary = "reads a form");
