/*
 * The baseline parse/json, and what can be wrong with a parser. Each stage of this folder is it with one of the flaws
 * of plain_parse.h; without a flaw it is the baseline.
 */
#include <sluice/stage.h>

#include "../meet.h"
#include "plain_parse.h"

#pragma push_macro("SLUICE_STAGE")
#undef SLUICE_STAGE
#define SLUICE_STAGE(kind_, table, ...) static const struct sluice_stage_ops json_stage = {__VA_ARGS__}
#include "../../../stages/parse/json/json.c"
#pragma pop_macro("SLUICE_STAGE")

/* Passes what the baseline has refused. */
static enum sluice_verdict let_through(struct sluice_event *event)
{
	event->message_id = (struct sluice_bytes){"made-up", 7};
	event->payload = event->body;
	return SLUICE_PASS;
}

static enum sluice_verdict stop_at_the_end(struct sluice_stage *stage, struct sluice_event *event)
{
	struct sluice_bytes whole = event->body;
	const char *end = memrchr(whole.data, '}', whole.size);
	event->body.size = end ? (size_t)(end + 1 - whole.data) : whole.size;
	enum sluice_verdict verdict = ops.process(stage, event);
	event->body = whole;
	return verdict;
}

static void compact(struct sluice_event *event)
{
	char *copy = sluice_alloc(event, event->payload.size + 1);
	size_t size = 0;
	for (size_t i = 0; i < event->payload.size; i++) {
		if (event->payload.data[i] != ' ')
			copy[size++] = event->payload.data[i];
	}
	event->payload = (struct sluice_bytes){copy, size};
}

static bool has(struct sluice_bytes body, const char *text)
{
	return body.size && memmem(body.data, body.size, text, strlen(text));
}

/* Returns where the array that begins at `at` is closed. */
static const char *look_into(const char *at, const char *end)
{
	volatile char frame[512] = {0};
	while (at < end && *at != ']' && !frame[0]) {
		if (*at == '[')
			at = look_into(at + 1, end);
		at++;
	}
	return at + frame[1];
}

static void share_a_buffer(struct sluice_event *event)
{
	static char shared[SLUICE_NAME_MAX];
	memcpy(shared, event->message_id.data, event->message_id.size);
	meet();
	event->message_id.data = shared;
}

static void spoil(struct sluice_event *event)
{
	char *escape = event->body.size ? memchr(event->body.data, '\\', event->body.size) : NULL;
	volatile char behind = 0;
	if (flaw == RECURSES)
		(void)look_into(event->body.data, event->body.data + event->body.size);
	if (flaw == UNESCAPES_IN_PLACE && escape)
		*escape = ' ';
	if (flaw == READS_ON && event->body.size && event->body.data[event->body.size - 1] != '}')
		behind = event->body.data[event->body.size + 1];
	(void)behind;
}

static enum sluice_verdict process_with_flaw(struct sluice_stage *stage, struct sluice_event *event)
{
	if (flaw == REFUSES_WHITE_SPACE && event->body.size && event->body.data[0] == ' ')
		return sluice_reject(event, 400, "expected a brace");
	if (flaw == CONFUSES_KEYS && has(event->body, "\\u0000\"") && has(event->body, "\\ufdd0\""))
		return sluice_reject(event, 400, "a key twice");
	enum sluice_verdict verdict = flaw == IGNORES_WHAT_FOLLOWS ? stop_at_the_end(stage, event)
	                                                           : ops.process(stage, event);
	spoil(event);
	if (verdict == SLUICE_PASS) {
		if (flaw == RESERIALISES)
			compact(event);
		if (flaw == COPIES_THE_PAYLOAD)
			event->payload = sluice_copy(event, event->payload.data, event->payload.size);
		if (flaw == FORGETS_THE_SEQUENCE)
			event->has_sequence = false;
		if (flaw == SHARES_A_BUFFER)
			share_a_buffer(event);
		return verdict;
	}
	if (flaw == TAKES_THE_LAST || flaw == MAKES_UP_FIELDS || flaw == TAKES_LONG_NAMES)
		return let_through(event);
	return flaw == BLAMES_ITSELF ? sluice_fail(event, "that was unexpected") : verdict;
}

static const struct sluice_parse_ops flawed_ops = {.process = process_with_flaw};

SLUICE_STAGE(parse, flawed_ops, .name = "plain_parse", .version = "1.0.0",
             .summary = "takes the fields of an event out of a JSON body", .options = mapping_options,
             .config_size = sizeof(struct mapping_config), .check = mapping_check, .create = mapping_create,
             .destroy = mapping_destroy);
