/*
 * What came of a change; see reload_result.h.
 */
#include "serve/reload_result.h"

#include "base/clock.h"
#include "base/json_writer.h"
#include "serve/restart_bound.h"
#include "serve/service.h"

/* "created_again": neither its file nor its options have changed, but what it knows may not be true any more. */
static const char *describe_change(const struct pipeline *now, const struct config *before, enum sluice_kind kind,
                                   bool kept)
{
	if (!pipeline_config(now)->stages[kind].present)
		return "removed";
	if (kept)
		return "carried_over";
	return !before->stages[kind].present                           ? "added"
	       : config_same_stage(pipeline_config(now), before, kind) ? "created_again"
	                                                               : "created";
}

/* What was carried over is known while both generations are there. */
static void write_stages(struct json_writer *json, const struct pipeline *now, const struct pipeline *before)
{
	jsonw_array(json, "stages");
	for (int i = 0; i < KIND_COUNT; i++) {
		enum sluice_kind kind = (enum sluice_kind)i;
		const struct config *old = pipeline_config(before), *new = pipeline_config(now);
		const struct stage_config *stage = new->stages[kind].present ? &new->stages[kind] : &old->stages[kind];
		if (!stage->present)
			continue;
		jsonw_object(json, NULL);
		jsonw_text(json, "kind", kind_names[kind]);
		jsonw_text(json, "name", stage->plugin->ops.name);
		jsonw_text(json, "sha256", stage->plugin->sha256);
		jsonw_text(json, "change", describe_change(now, old, kind, pipeline_shares_stage(now, before, kind)));
		jsonw_end_object(json);
	}
	jsonw_end_array(json);
}

static void write_step(struct json_writer *json, const char *name, int64_t ns)
{
	jsonw_real(json, name, (double)ns / (double)NS_PER_MS, 3);
}

void reload_result_write(struct reload_result *result, const struct reload_outcome *outcome)
{
	const struct reload_steps *steps = &outcome->steps;
	const struct config *config = pipeline_config(outcome->now);
	struct json_writer json = {.out = &result->body};
	jsonw_object(&json, NULL);
	jsonw_text(&json, "status", "published");
	jsonw_int(&json, "generation", outcome->service->generation);
	jsonw_text(&json, "pipeline", config->name);
	jsonw_array(&json, "optimizations");
	for (const char *const *name = config->optimizations; name && *name; name++)
		jsonw_text(&json, NULL, *name);
	jsonw_end_array(&json);
	jsonw_text(&json, "sha256", config->sha256);
	write_stages(&json, outcome->now, outcome->before);
	restart_bound_write(outcome->started, config, &json, "needs_restart");
	jsonw_bool(&json, "rolled_back", outcome->service->is_rolled_back);
	jsonw_bool(&json, "durable", outcome->is_durable && !result->unsaved.text[0]);
	if (result->unsaved.text[0])
		jsonw_text(&json, "not_durable", result->unsaved.text);
	jsonw_object(&json, "took_ms");
	write_step(&json, "load", steps->loaded_ns - steps->begun_ns);
	write_step(&json, "create", steps->created_ns - steps->loaded_ns);
	write_step(&json, "publish", steps->published_ns - steps->created_ns);
	jsonw_end_object(&json);
	jsonw_end_object(&json);
	buffer_add_text(&result->body, "\n");
}
