/*
 * The conditions, and how an overlay is known to be the one that answers one; see recommend.h.
 */
#include "lab/report/recommend.h"

#include <stdlib.h>
#include <string.h>

enum { PATHS_MAX = 4 };

struct condition {
	const char *name;
	char letter;
	enum part part;   /* whose excess it may save … */
	const char *span; /* … or that of this span of persist, where there is one */
	double (*seen)(const struct analyze_result *result); /* 0 also where nothing can be told */
	double threshold;                                    /* it holds above */
	const char *condition, *advice;
	const char *paths[PATHS_MAX]; /* what an overlay for it patches, one of these … */
	const char *section;          /* … or anything in here, if its name or `about` says … */
	const char *word;             /* … this, or begins with the letter ("A: …") */
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
		.name = "batching",
		.letter = 'A',
		.part = PART_PERSIST,
		.seen = store_unbatched,
		.threshold = 0.50,
		.condition = "of the server's time in the tail is the store's, one event at a time",
		.advice = "store what waits as one transaction",
		.paths = {"stages.persist.max_batch"},
		.section = "stages.persist",
		.word = "batch",
	},
	{
		.name = "pool",
		.letter = 'B',
		.part = PART_PERSIST,
		.span = "pool_wait",
		.seen = pool_wait,
		.threshold = 0.10,
		.condition = "of the server's time in the tail is waiting for a connection to the database",
		.advice = "keep more connections open",
		.paths = {"stages.persist.pool"},
		.section = "stages.persist",
		.word = "pool",
	},
	{
		.name = "parsing",
		.letter = 'C',
		.part = PART_PARSE,
		.seen = parse,
		.threshold = 0.10,
		.condition = "of the server's time in the tail is parsing",
		.advice = "parse less of the body, or into memory that is there already",
		.paths = {"stages.parse.use", "events.arena"},
		.section = "stages.parse",
		.word = "pars",
	},
	{
		.name = "indexes",
		.letter = 'D',
		.part = PART_PERSIST,
		.span = "execute",
		.seen = execute_growth,
		.threshold = 0.25,
		.condition =
			"more time per statement in the last third of the run than in the first, as the table grew",
		.advice = "look at the indexes that each insert keeps up and each look-up needs",
		.paths = {"stages.persist.indexes"},
		.section = "stages.persist",
		.word = "index",
	},
	{
		.name = "workers",
		.letter = 'E',
		.part = PART_QUEUE,
		.seen = queue_growth,
		.threshold = 0.50,
		.condition = "more waiting in the queue in the last third of the run than in the first: it fills up",
		.advice = "let more workers empty it",
		.paths = {"stages.queue.workers"},
		.section = "stages.queue",
		.word = "worker",
	},
	{
		.name = "keep-alive",
		.letter = 'F',
		.part = PART_INBOUND,
		.seen = connections,
		.threshold = 0.50,
		.condition = "of the requests needed a new connection: none was kept open for them",
		.advice = "keep connections open between requests",
		.paths = {"listen.keep_alive"},
		.section = "listen",
		.word = "keep",
	},
	{
		.name = "batch-size",
		.letter = '-',
		.part = PART_PERSIST,
		.seen = full_batches,
		.threshold = 0.50,
		.condition = "of the tail's requests were in a batch as large as any",
		.advice = "allow larger batches",
		.paths = {"stages.persist.max_batch"},
		.section = "stages.persist",
		.word = "batch",
	},
};

enum { CONDITIONS = sizeof(conditions) / sizeof(conditions[0]) };
_Static_assert((size_t)CONDITIONS <= (size_t)RECOMMEND_MAX, "each condition may hold");

static double gain_of(const struct condition *condition, const struct analyze_result *result)
{
	const struct analyze_row *span = condition->span ? analyze_find_span(result, condition->span) : NULL;
	return span ? span->excess_share : result->parts[condition->part].excess_share;
}

/* "stages.persist.pool" in the overlay's tree. */
static bool patches(const struct yaml_node *node, const char *path)
{
	while (node && *path) {
		char key[64] = "";
		size_t length = strcspn(path, ".");
		if (length < sizeof(key))
			memcpy(key, path, length);
		node = node->type == YAML_MAP ? yaml_get(node, key) : NULL;
		path += length + (path[length] == '.');
	}
	return node != NULL;
}

static bool has_letter(const struct yaml_node *overlay, char letter)
{
	const struct yaml_node *about = yaml_get(overlay, "about");
	return about && about->type == YAML_TEXT && about->text[0] == letter && about->text[1] == ':';
}

static bool says(const struct yaml_node *overlay, const char *word)
{
	const struct yaml_node *about = yaml_get(overlay, "about");
	return strcasestr(overlay->key, word) || (about && about->type == YAML_TEXT && strcasestr(about->text, word));
}

static bool answers(const struct yaml_node *overlay, const struct condition *condition)
{
	if (overlay->type != YAML_MAP)
		return false;
	for (size_t i = 0; i < PATHS_MAX && condition->paths[i]; i++)
		if (patches(overlay, condition->paths[i]))
			return true;
	return (has_letter(overlay, condition->letter) || says(overlay, condition->word)) &&
	       patches(overlay, condition->section);
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

/* One with the plan's letter goes before one that only patches the same. */
static void find_overlay(const struct condition *condition, const struct yaml_node *overlays, const json_t *enabled,
                         struct recommendation *out)
{
	bool lettered = false;
	for (const struct yaml_node *each = overlays ? overlays->first : NULL; each; each = each->next) {
		if (!answers(each, condition))
			continue;
		if (is_on(enabled, each->key)) {
			out->already = each->key;
		} else if (!out->overlay || (!lettered && has_letter(each, condition->letter))) {
			out->overlay = each->key;
			lettered = has_letter(each, condition->letter);
		}
	}
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
		                                     .condition = condition->condition,
		                                     .advice = condition->advice,
		                                     .letter = condition->letter,
		                                     .seen = seen,
		                                     .threshold = condition->threshold,
		                                     .gain = gain_of(condition, result)};
		find_overlay(condition, overlays, enabled, &out[count++]);
	}
	qsort(out, count, sizeof(*out), by_gain);
	return count;
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
	*overlays_out = overlays && overlays->type == YAML_MAP ? overlays : NULL;
	return true;
}

static void write_one(const struct recommendation *each, size_t number, struct buffer *out)
{
	buffer_printf(out, "  %zu. %.0f %% %s.\n     Try ", number, 100 * each->seen, each->condition);
	if (each->overlay)
		buffer_printf(out, "--enable %s: %s", each->overlay, each->advice);
	else if (each->letter == '-')
		buffer_printf(out, "%s: %s", each->name, each->advice);
	else
		buffer_printf(out, "%s (%c): %s", each->name, each->letter, each->advice);
	if (each->already)
		buffer_printf(out, " (%s is on already)", each->already);
	buffer_printf(out, ". It holds above %.0f %%; %.0f %% of the tail's excess lies there.\n",
	              100 * each->threshold, 100 * each->gain);
}

static void write_none(const struct analyze_result *result, struct buffer *out)
{
	if (!result->has_stages) {
		buffer_add_text(out, "  None: nothing is known about the server's stages; --trace adds its trace.\n");
		return;
	}
	double share = result->hotspot < 0 ? 0 : result->parts[result->hotspot].server_share;
	buffer_printf(out, "  None: %s.\n",
	              share > 0.5 ? "no condition of a known optimization holds" : "no stage stands out");
	if (share > 0)
		buffer_printf(out, "  The largest share of the server's time in the tail, %.0f %%, has %s.\n",
		              100 * share, part_words[result->hotspot].title);
}

void recommend_write_text(const struct analyze_result *result, const struct recommendation *list, size_t count,
                          struct buffer *out)
{
	buffer_add_text(out, "RECOMMENDATION\n");
	for (size_t i = 0; i < count; i++)
		write_one(&list[i], i + 1, out);
	if (count == 0)
		write_none(result, out);
}

json_t *recommend_to_json(const struct recommendation *list, size_t count)
{
	json_t *array = json_array();
	for (size_t i = 0; i < count; i++) {
		const struct recommendation *each = &list[i];
		const char letter[2] = {each->letter == '-' ? '\0' : each->letter, '\0'};
		(void)json_array_append_new(array, json_pack("{s:s, s:s, s:f, s:f, s:f, s:s, s:s, s:s?, s:s?}", "name",
		                                             each->name, "letter", letter, "seen", each->seen,
		                                             "threshold", each->threshold, "gain", each->gain,
		                                             "condition", each->condition, "advice", each->advice,
		                                             "overlay", each->overlay, "already_on", each->already));
	}
	return array;
}
