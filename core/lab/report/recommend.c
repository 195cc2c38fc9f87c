/*
 * The conditions; see recommend.h. Each is a row of one table. Besides these an overlay may treat any part of the
 * server, or a span of the store's own, by its name.
 */
#include "lab/report/recommend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/report/tried.h"
#include "yaml/option.h"

#define SPAN_PREFIX "persist." /* before the name of a span of the store */
#define PART_THRESHOLD 0.25    /* of a part or a span that has no condition of its own */

struct condition {
	const char *name; /* what an overlay that answers it has as `treats` */
	enum part part;   /* whose excess it may save … */
	const char *span; /* … or that of this span of persist, where there is one */
	double (*seen)(const struct analyze_result *result); /* 0 also where nothing can be told */
	double threshold;                                    /* it holds above */
	const char *condition, *advice;
};

static double store_unbatched(const struct analyze_result *result)
{
	return result->batches.max > 1 ? 0 : result->parts[PART_PERSIST].server_share;
}

static double pool_wait(const struct analyze_result *result)
{
	const struct analyze_row *row = analyze_find_span(result, "pool_wait");
	return row ? row->server_share : 0;
}

static double parse(const struct analyze_result *result)
{
	return result->parts[PART_PARSE].server_share;
}

static double execute_growth(const struct analyze_result *result)
{
	return result->persist_growth.growth;
}

static double queue_growth(const struct analyze_result *result)
{
	enum { WORTH_NOTICE_NS = 1000000 };
	return result->queue_growth.last_ns > WORTH_NOTICE_NS ? result->queue_growth.growth : 0;
}

/* If most are as large as the largest, a bound made them so. */
static double full_batches(const struct analyze_result *result)
{
	return result->batches.max > 1 ? result->batches.full_share : 0;
}

static double connections(const struct analyze_result *result)
{
	return result->connected;
}

static const struct condition conditions[] = {
	{
		.name = "unbatched_store",
		.part = PART_PERSIST,
		.seen = store_unbatched,
		.threshold = 0.50,
		.condition = "of the server's time in the tail is the store's, one event at a time",
		.advice = "store what waits in one transaction",
	},
	{
		.name = "pool_wait",
		.part = PART_PERSIST,
		.span = "pool_wait",
		.seen = pool_wait,
		.threshold = 0.10,
		.condition = "of the server's time in the tail is waiting for a connection to the database",
		.advice = "keep more connections open",
	},
	{
		.name = "parse",
		.part = PART_PARSE,
		.seen = parse,
		.threshold = 0.10,
		.condition = "of the server's time in the tail is parsing",
		.advice = "parse less of the body, or reuse memory",
	},
	{
		.name = "statement_growth",
		.part = PART_PERSIST,
		.span = "execute",
		.seen = execute_growth,
		.threshold = 0.25,
		.condition =
			"more time per statement in the last third of the run than in the first, as the table grew",
		.advice = "look at the indexes that each insert updates and each look-up needs",
	},
	{
		.name = "queue_growth",
		.part = PART_QUEUE,
		.seen = queue_growth,
		.threshold = 0.50,
		.condition = "more waiting in the queue in the last third of the run than in the first: it fills up",
		.advice = "let more workers empty it",
	},
	{
		.name = "new_connections",
		.part = PART_INBOUND,
		.seen = connections,
		.threshold = 0.50,
		.condition = "of the requests needed a new connection: none was kept open for them",
		.advice = "keep connections open between requests",
	},
	{
		.name = "full_batches",
		.part = PART_PERSIST,
		.seen = full_batches,
		.threshold = 0.50,
		.condition = "of the tail's requests were in a batch as large as any",
		.advice = "allow larger batches",
	},
};

enum { CONDITIONS = sizeof(conditions) / sizeof(conditions[0]) };
_Static_assert((size_t)CONDITIONS <= (size_t)RECOMMEND_MAX, "each condition may hold");

static double gain_of(const struct condition *condition, const struct analyze_result *result)
{
	const struct analyze_row *span = condition->span ? analyze_find_span(result, condition->span) : NULL;
	return span ? span->excess_share : result->parts[condition->part].excess_share;
}

/* The first of the names that an overlay treats, one text or a list of them; NULL: none. */
static const struct yaml_node *first_treated(const struct yaml_node *overlay)
{
	const struct yaml_node *treats = overlay->type == YAML_MAP ? yaml_get(overlay, "treats") : NULL;
	return treats && treats->type == YAML_LIST ? treats->first : treats;
}

static const struct yaml_node *next_treated(const struct yaml_node *overlay, const struct yaml_node *name)
{
	return yaml_get(overlay, "treats")->type == YAML_LIST ? name->next : NULL;
}

static bool treats(const struct yaml_node *overlay, const char *name)
{
	for (const struct yaml_node *each = first_treated(overlay); each; each = next_treated(overlay, each)) {
		if (each->type == YAML_TEXT && strcmp(each->text, name) == 0)
			return true;
	}
	return false;
}

static bool is_on(const json_t *enabled, const char *name)
{
	size_t i;
	json_t *each;
	json_array_foreach (enabled, i, each) {
		if (json_is_string(each) && strcmp(json_string_value(each), name) == 0)
			return true;
	}
	return false;
}

static void find_overlay(const struct yaml_node *overlays, const json_t *enabled, struct recommendation *out)
{
	for (const struct yaml_node *each = overlays ? overlays->first : NULL; each; each = each->next) {
		if (!treats(each, out->name))
			continue;
		if (is_on(enabled, each->key))
			out->already = each->key;
		else if (!out->overlay)
			out->overlay = each->key;
	}
}

static const struct condition *find_condition(const char *name)
{
	for (size_t i = 0; i < CONDITIONS; i++) {
		if (strcmp(conditions[i].name, name) == 0)
			return &conditions[i];
	}
	return NULL;
}

/* The server's part of that name; PARTS: there is none. */
static enum part find_part(const char *name)
{
	enum part part = 0;
	while (part < PARTS && !(part_words[part].of_server && strcmp(part_words[part].name, name) == 0))
		part++;
	return part;
}

static bool is_span(const char *name)
{
	size_t length = strlen(SPAN_PREFIX);
	return strncmp(name, SPAN_PREFIX, length) == 0 && name[length];
}

/* The row of a part, or of a span of the store; NULL: this run has none of that name. */
static const struct analyze_row *find_row(const struct analyze_result *result, const char *name)
{
	enum part part = find_part(name);
	if (part < PARTS)
		return &result->parts[part];
	return is_span(name) ? analyze_find_span(result, name + strlen(SPAN_PREFIX)) : NULL;
}

static bool is_listed(const struct recommendation *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i].name, name) == 0)
			return true;
	}
	return false;
}

/* What an overlay treats without a condition of its own: a part or a span that takes much of the tail. */
static size_t add_treated(const struct analyze_result *result, const struct yaml_node *overlay,
                          struct recommendation *list, size_t count)
{
	const struct yaml_node *about = yaml_get(overlay, "about");
	for (const struct yaml_node *each = first_treated(overlay); each; each = next_treated(overlay, each)) {
		const char *name = each->type == YAML_TEXT ? each->text : "";
		const struct analyze_row *row = find_condition(name) ? NULL : find_row(result, name);
		if (count == RECOMMEND_MAX || !row || row->server_share <= PART_THRESHOLD ||
		    is_listed(list, count, name))
			continue;
		struct recommendation *out = &list[count++];
		*out = (struct recommendation){
			.name = name,
			.advice = about && about->type == YAML_TEXT ? about->text : "it treats this",
			.seen = row->server_share,
			.threshold = PART_THRESHOLD,
			.gain = row->excess_share,
		};
		(void)snprintf(out->condition, sizeof(out->condition), "of the server's time in the tail goes to %s",
		               name);
	}
	return count;
}

static int by_gain(const void *a, const void *b)
{
	const struct recommendation *left = a, *right = b;
	return (left->gain < right->gain) - (left->gain > right->gain);
}

size_t recommend(const struct analyze_result *result, const struct yaml_node *overlays, const json_t *enabled,
                 struct recommendation out[RECOMMEND_MAX])
{
	size_t count = 0;
	for (size_t i = 0; i < CONDITIONS; i++) {
		const struct condition *condition = &conditions[i];
		double seen = condition->seen(result);
		if (seen <= condition->threshold)
			continue;
		out[count] = (struct recommendation){.name = condition->name,
		                                     .advice = condition->advice,
		                                     .seen = seen,
		                                     .threshold = condition->threshold,
		                                     .gain = gain_of(condition, result)};
		(void)snprintf(out[count].condition, sizeof(out[count].condition), "%s", condition->condition);
		count++;
	}
	for (const struct yaml_node *each = overlays ? overlays->first : NULL; each; each = each->next)
		count = add_treated(result, each, out, count);
	for (size_t i = 0; i < count; i++)
		find_overlay(overlays, enabled, &out[i]);
	qsort(out, count, sizeof(*out), by_gain);
	return count;
}

/* The names for "did you mean": the conditions, then the parts. */
static const char *name_at(const void *context, size_t i)
{
	(void)context;
	return i < CONDITIONS ? conditions[i].name : part_words[i - CONDITIONS].name;
}

static bool refuse_treated(const struct yaml_node *overlay, const struct yaml_node *name, struct sluice_error *error)
{
	const char *close = option_did_you_mean(name->text, (size_t)CONDITIONS + PARTS, name_at, NULL);
	if (close)
		return yaml_fail(name, error,
		                 "optimizations.%s: treats: unknown condition \"%s\"; did you mean \"%s\"?",
		                 overlay->key, name->text, close);
	struct buffer known = {0};
	for (size_t i = 0; i < CONDITIONS; i++)
		buffer_printf(&known, "%s, ", conditions[i].name);
	yaml_fail(
		name, error,
		"optimizations.%s: treats: unknown condition \"%s\"; expected one of: %sa part of the server, or " SPAN_PREFIX
		"SPAN",
		overlay->key, name->text, known.data);
	buffer_finish(&known);
	return false;
}

static bool treats_what_is_known(const struct yaml_node *overlay, struct sluice_error *error)
{
	for (const struct yaml_node *each = first_treated(overlay); each; each = next_treated(overlay, each)) {
		if (each->type != YAML_TEXT || yaml_is_null(each))
			return yaml_fail(each, error,
			                 "optimizations.%s: treats: expected the name of a condition, got %s",
			                 overlay->key, yaml_describe(each));
		if (!find_condition(each->text) && find_part(each->text) == PARTS && !is_span(each->text))
			return refuse_treated(overlay, each, error);
	}
	return true;
}

bool recommend_read_overlays(const char *path, struct arena *arena, const struct yaml_node **overlays_out,
                             struct sluice_error *error)
{
	*overlays_out = NULL;
	const struct yaml_node *top = yaml_read_file(path, arena, error);
	if (!top)
		return false;
	if (top->type != YAML_MAP)
		return yaml_fail(top, error, "expected a pipeline, a map with `stages`");
	const struct yaml_node *overlays = yaml_get(top, "optimizations");
	if (overlays && !yaml_is_null(overlays) && overlays->type != YAML_MAP)
		return yaml_fail(overlays, error, "optimizations: expected a map of overlays, got %s",
		                 yaml_describe(overlays));
	if (!overlays || overlays->type != YAML_MAP)
		return true;
	for (const struct yaml_node *each = overlays->first; each; each = each->next) {
		if (!treats_what_is_known(each, error))
			return false;
	}
	*overlays_out = overlays;
	return true;
}

static void write_one(const struct recommendation *each, size_t number, const json_t *trials, struct buffer *out)
{
	buffer_printf(out, "  %zu. %.0f %% %s.\n     Try ", number, 100 * each->seen, each->condition);
	if (each->overlay)
		buffer_printf(out, "--enable %s: %s", each->overlay, each->advice);
	else
		buffer_printf(out, "this: %s", each->advice);
	if (each->already)
		buffer_printf(out, " (%s is on already)", each->already);
	buffer_printf(out, ". Condition: %s above %.0f %%; it accounts for %.0f %% of the tail's excess.\n", each->name,
	              100 * each->threshold, 100 * each->gain);
	const char *const overlays[] = {each->overlay, each->already};
	for (size_t i = 0; i < sizeof(overlays) / sizeof(overlays[0]); i++) {
		if (overlays[i])
			tried_write_text(trials, overlays[i], out);
	}
}

static void write_none(const struct analyze_result *result, struct buffer *out)
{
	if (!result->has_stages) {
		buffer_add_text(out, "  None: the run has no stage times; --trace adds the server's trace.\n");
		return;
	}
	double share = result->hotspot < 0 ? 0 : result->parts[result->hotspot].server_share;
	buffer_printf(out, "  None: %s.\n", share > 0.5 ? "no condition holds" : "no stage stands out");
	if (share > 0)
		buffer_printf(out, "  The largest share of the server's time in the tail, %.0f %%, has %s.\n",
		              100 * share, part_words[result->hotspot].title);
}

void recommend_write_text(const struct analyze_result *result, const struct recommendation *list, size_t count,
                          const json_t *trials, struct buffer *out)
{
	buffer_add_text(out, "RECOMMENDATION\n");
	for (size_t i = 0; i < count; i++)
		write_one(&list[i], i + 1, trials, out);
	if (count == 0)
		write_none(result, out);
}

json_t *recommend_to_json(const struct recommendation *list, size_t count, const json_t *trials)
{
	json_t *array = json_array();
	for (size_t i = 0; i < count; i++) {
		const struct recommendation *each = &list[i];
		(void)json_array_append_new(array, json_pack("{s:s, s:f, s:f, s:f, s:s, s:s, s:s?, s:s?, s:o?}", "name",
		                                             each->name, "seen", each->seen, "threshold",
		                                             each->threshold, "gain", each->gain, "condition",
		                                             each->condition, "advice", each->advice, "overlay",
		                                             each->overlay, "already_on", each->already, "tried",
		                                             each->overlay ? tried_of(trials, each->overlay) : NULL));
	}
	return array;
}
