/*
 * Bodies and the events in them; see mapping.h. A scanner says whether a text is JSON, and finds all sources on its way.
 */
#include "mapping.h"

#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "fields.h"
#include "form.h"
#include "paths.h"

const struct sluice_option mapping_options[] = {MAPPING_OPTIONS, SLUICE_OPTION_END};

struct state {
	struct fields fields;
	struct sameness sameness;
	bool takes_forms, takes_batches;
	size_t batch; /* number of the source that is the array */
};

static bool add_batch(struct state *state, const char *pointer, struct sluice_error *error)
{
	struct recipe recipe;
	struct source_list *list = &state->fields.list;
	struct sluice_error cause = {0};
	if (!recipe_parse(&recipe, pointer, list, &cause))
		return sluice_error_set(error, "batch: %s", cause.text);
	if (recipe.is_joined || recipe.is_digest || list->items[recipe.first].kind != SOURCE_POINTER)
		return sluice_error_set(error, "batch: expected a JSON Pointer, got \"%s\"", pointer);
	state->takes_batches = true;
	state->batch = recipe.first;
	return true;
}

static void state_finish(struct state *state)
{
	fields_finish(&state->fields);
	sameness_finish(&state->sameness);
}

static bool state_init(struct state *state, const struct mapping_config *config, bool takes_forms,
                       struct sluice_error *error)
{
	*state = (struct state){.takes_forms = takes_forms};
	bool ok = media_check(&config->media, error) && fields_init(&state->fields, config, takes_forms, error) &&
	          (!config->batch || add_batch(state, config->batch, error)) &&
	          sameness_init(&state->sameness, &config->sameness, error);
	if (!ok)
		state_finish(state);
	return ok;
}

static bool check(const struct mapping_config *config, bool takes_forms, struct sluice_error *error)
{
	struct state *state = malloc(sizeof(*state));
	bool ok = state ? state_init(state, config, takes_forms, error) : sluice_error_set(error, "no memory");
	if (ok)
		state_finish(state);
	free(state);
	return ok;
}

bool mapping_check(const void *config, struct sluice_error *error)
{
	return check(config, false, error);
}

bool mapping_check_forms(const void *config, struct sluice_error *error)
{
	return check(config, true, error);
}

bool mapping_create(struct sluice_stage *stage, struct sluice_error *error)
{
	struct state *state = malloc(sizeof(*state));
	bool takes_forms = stage->ops->of.parse->flags & SLUICE_PARSE_DECODES;
	if (!state)
		return sluice_error_set(error, "no memory");
	if (!state_init(state, stage->config, takes_forms, error)) {
		free(state);
		return false;
	}
	stage->state = state;
	return true;
}

void mapping_destroy(struct sluice_stage *stage)
{
	struct state *state = stage->state;
	state_finish(state);
	free(state);
}

static bool is_partial(const void *config)
{
	return ((const struct mapping_config *)config)->sameness.count > 0;
}

static bool is_same(struct sluice_stage *stage, struct sluice_event *event, const struct sluice_record *stored)
{
	const struct state *state = stage->state;
	return sameness_holds(&state->sameness, event, stored);
}

static const struct sluice_sameness sameness = {.is_partial = is_partial, .is_same = is_same};
const struct sluice_extension mapping_extensions[] = {{SLUICE_SAMENESS, &sameness}, SLUICE_EXTENSION_END};

static enum sluice_verdict refuse_text(const struct scan *scan, const char *what, struct sluice_event *event)
{
	static const char *const found[] = {
		[SCAN_SYNTAX] = "a syntax error",
		[SCAN_EARLY_END] = "an early end",
		[SCAN_MORE] = "more after its end",
		[SCAN_NUL] = "a NUL",
		[SCAN_ENCODING] = "bytes that are not UTF-8",
		[SCAN_RANGE] = "a number beyond the range of a double",
	};
	if (scan->fault == SCAN_NO_MEMORY)
		return sluice_retry(event, 0, "out of memory for the keys of the body");
	if (scan->fault == SCAN_DEPTH)
		return sluice_reject(event, 400, "%s: expected at most %zu levels of arrays and objects, got more",
		                     what, scan->max_depth);
	return sluice_reject(event, 400, "%s: expected JSON, got %s at byte %zu", what, found[scan->fault],
	                     scan->position);
}

static enum sluice_verdict refuse_keys(enum keys_verdict verdict, const char *what, struct sluice_event *event)
{
	if (verdict == KEYS_NO_MEMORY)
		return sluice_retry(event, 0, "out of memory for the keys of the body");
	return sluice_reject(event, 400, "%s: expected each key once in the outermost object, got a duplicate", what);
}

/* Sets the spans of the sources; PASS: the text is JSON as the contract has it. `what`: how the sender would call it. */
static enum sluice_verdict find_spans(const struct mapping_config *config, struct reading *reading, const char *what,
                                      bool (*scan_text)(struct scan *scan))
{
	struct sluice_event *event = reading->event;
	struct sluice_bytes text = reading->whole;
	if (text.size >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
		return sluice_reject(event, 400, "%s: expected JSON without a byte order mark, got one", what);
	struct paths paths;
	paths.sources = reading->list->items;
	paths.source_count = reading->list->count;
	paths.spans = reading->spans;
	paths_init(&paths, event, text);
	struct scan scan = {.text = text, .max_depth = (size_t)config->max_depth, .paths = &paths};
	if (!scan_text(&scan))
		return refuse_text(&scan, what, event);
	enum keys_verdict verdict = keys_judge(&paths.keys);
	if (verdict != KEYS_UNIQUE)
		return refuse_keys(verdict, what, event);
	for (size_t i = 0; i < reading->list->count; i++) {
		if (reading->list->items[i].pointer.count == 0)
			reading->spans[i] = scan.root;
	}
	return SLUICE_PASS;
}

/* The body is a form: it may have JSON in a field. */
static enum sluice_verdict read_form(const struct mapping_config *config, struct reading *reading,
                                     bool (*scan)(struct scan *scan))
{
	struct sluice_event *event = reading->event;
	bool is_repeated;
	reading->form = event->body;
	if (!config->form_json)
		return SLUICE_PASS;
	if (!form_find(reading->form, config->form_json, event, &reading->whole, &is_repeated))
		return sluice_retry(event, 0, "out of memory for the event's fields");
	if (!reading->whole.data || is_repeated)
		return sluice_reject(event, 400, "the field %s: expected it once in the form, got %s",
		                     config->form_json, is_repeated ? "it again" : "nothing");
	char what[SLUICE_DETAIL_MAX];
	(void)snprintf(what, sizeof(what), "the field %.100s", config->form_json);
	return find_spans(config, reading, what, scan);
}

/* Finds out what the body is, and the spans of the sources in it. */
static enum sluice_verdict read_body(const struct sluice_stage *stage, struct reading *reading,
                                     bool (*scan)(struct scan *scan))
{
	const struct mapping_config *config = stage->config;
	const struct state *state = stage->state;
	switch (media_of(&config->media, reading->event)) {
	case MEDIA_JSON:
		return find_spans(config, reading, "the body", scan);
	case MEDIA_FORM:
		return state->takes_forms ? read_form(config, reading, scan) : media_refuse(reading->event);
	case MEDIA_OPAQUE:
		return SLUICE_PASS;
	default:
		return media_refuse(reading->event);
	}
}

/* Of a batch that was split before: its payload is that element, which never is the whole body. */
static bool is_element(const struct sluice_event *event)
{
	return event->payload.data &&
	       (event->payload.data != event->body.data || event->payload.size != event->body.size);
}

enum sluice_verdict mapping_process(struct sluice_stage *stage, struct sluice_event *event,
                                    bool (*scan)(struct scan *scan))
{
	const struct mapping_config *config = stage->config;
	const struct state *state = stage->state;
	struct reading reading;
	bool is_part = state->takes_batches && is_element(event);
	reading.list = &state->fields.list;
	reading.event = event;
	reading.is_part = is_part;
	reading.whole = is_part ? event->payload : event->body;
	reading.form = (struct sluice_bytes){NULL, 0};
	memset(reading.spans, 0, reading.list->count * sizeof(reading.spans[0]));
	enum sluice_verdict verdict = is_part ? find_spans(config, &reading, "the event", scan)
	                                      : read_body(stage, &reading, scan);
	if (verdict != SLUICE_PASS)
		return verdict;
	if (state->takes_batches && !is_part && media_may_be_batch(&config->media, event) &&
	    span_type(reading.spans[state->batch]) == SPAN_ARRAY)
		return batch_split(&reading, reading.spans[state->batch], (size_t)config->batch_max);
	return fields_set(&state->fields, &reading);
}
