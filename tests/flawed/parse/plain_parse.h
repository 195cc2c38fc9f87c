/*
 * The baseline parse/json, and what can be wrong with a parser. Each stage of this folder includes it with FLAW set to
 * one of the flaws below; without a flaw it is the baseline.
 */
#include <sched.h>

#include <sluice/stage.h>

#pragma push_macro("SLUICE_STAGE")
#undef SLUICE_STAGE
#define SLUICE_STAGE(kind_, table, ...) static const struct sluice_stage_ops json_stage = {__VA_ARGS__}
#include "../../../stages/parse/json/json.c"
#pragma pop_macro("SLUICE_STAGE")

enum flaw {
	NONE,
	REFUSES_WHITE_SPACE,
	IGNORES_WHAT_FOLLOWS,
	TAKES_THE_LAST, /* of two values of a key */
	RESERIALISES,
	FORGETS_THE_SEQUENCE,
	MAKES_UP_FIELDS,
	TAKES_LONG_NAMES,
	RECURSES,
	READS_ON,
	BLAMES_ITSELF,
	UNESCAPES_IN_PLACE,
	SHARES_A_BUFFER,
};

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
	for (size_t i = 0; i < event->message_id.size; i++) {
		shared[i] = event->message_id.data[i];
		(void)sched_yield();
	}
	event->message_id.data = shared;
}

static void spoil(struct sluice_event *event)
{
	char *escape = event->body.size ? memchr(event->body.data, '\\', event->body.size) : NULL;
	volatile char behind = 0;
	if (FLAW == RECURSES)
		(void)look_into(event->body.data, event->body.data + event->body.size);
	if (FLAW == UNESCAPES_IN_PLACE && escape)
		*escape = ' ';
	if (FLAW == READS_ON && event->body.size && event->body.data[event->body.size - 1] != '}')
		behind = event->body.data[event->body.size + 1];
	(void)behind;
}

static enum sluice_verdict process_with_flaw(struct sluice_stage *stage, struct sluice_event *event)
{
	if (FLAW == REFUSES_WHITE_SPACE && event->body.size && event->body.data[0] == ' ')
		return sluice_reject(event, 400, "expected a brace");
	enum sluice_verdict verdict = FLAW == IGNORES_WHAT_FOLLOWS ? stop_at_the_end(stage, event)
	                                                           : ops.process(stage, event);
	spoil(event);
	if (verdict == SLUICE_PASS) {
		if (FLAW == RESERIALISES)
			compact(event);
		if (FLAW == FORGETS_THE_SEQUENCE)
			event->has_sequence = false;
		if (FLAW == SHARES_A_BUFFER)
			share_a_buffer(event);
		return verdict;
	}
	if (FLAW == TAKES_THE_LAST || FLAW == MAKES_UP_FIELDS || FLAW == TAKES_LONG_NAMES)
		return let_through(event);
	return FLAW == BLAMES_ITSELF ? sluice_fail(event, "that was unexpected") : verdict;
}

static const struct sluice_parse_ops flawed_ops = {.process = process_with_flaw};

SLUICE_STAGE(parse, flawed_ops, .name = "plain_parse", .version = "1.0.0",
             .summary = "takes the fields of an event out of a JSON body", .options = options,
             .config_size = sizeof(struct config), .check = check, .create = create, .destroy = destroy);
