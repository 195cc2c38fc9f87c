/*
 * Sides; see side.h.
 */
#include "cli/lab/side.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "runtime/module.h"

/* Where a scenario's file is; that is where its commands run. NULL: here. */
static const char *folder_of(const char *scenario, struct arena *arena)
{
	const char *slash = scenario ? strrchr(scenario, '/') : NULL;
	return slash ? arena_printf(arena, "%.*s", (int)(slash - scenario) + 1, scenario) : NULL;
}

/* Each call opens the store again: it shows one moment, and is in nobody's way between two calls. */
static struct sluice_stage *open_store(struct side *side, struct sluice_error *error)
{
	return pipeline_open_store(side->config, error);
}

static bool maintain(void *context, struct sluice_error *error)
{
	struct sluice_stage *stage = open_store(context, error);
	if (!stage)
		return false;
	bool ok = abi_maintenance(stage->ops)->maintain(stage, error);
	pipeline_close_store(stage);
	return ok;
}

static bool stats(void *context, struct sluice_observer *observer, struct sluice_error *error)
{
	struct sluice_stage *stage = open_store(context, error);
	if (!stage)
		return false;
	bool ok = abi_maintenance(stage->ops)->stats(stage, observer, error);
	pipeline_close_store(stage);
	return ok;
}

static bool scan_one(const struct config *config, int64_t after_id, sluice_record_fn each, void *each_context,
                     struct sluice_error *error)
{
	struct sluice_stage *stage = pipeline_open_store(config, error);
	if (!stage)
		return false;
	bool ok = stage->ops->of.persist->scan(stage, after_id, each, each_context, error);
	pipeline_close_store(stage);
	return ok;
}

/* The rows of all lives, one after the other. */
static bool scan(void *context, int64_t after_id, sluice_record_fn each, void *each_context, struct sluice_error *error)
{
	const struct side *side = context;
	for (size_t i = 0; i < side->past_count; i++)
		if (!scan_one(side->past[i], after_id, each, each_context, error))
			return false;
	return scan_one(side->config, after_id, each, each_context, error);
}

static bool drop_one(const struct config *config, struct sluice_error *error)
{
	struct sluice_stage *stage = pipeline_open_store(config, error);
	if (!stage)
		return false;
	bool ok = abi_maintenance(stage->ops)->drop(stage, error);
	pipeline_close_store(stage);
	return ok;
}

static bool drop(void *context, struct sluice_error *error)
{
	const struct side *side = context;
	bool ok = drop_one(side->config, error);
	for (size_t i = 0; i < side->past_count; i++)
		ok = drop_one(side->past[i], error) && ok;
	return ok;
}

static struct arm_store store_of(struct side *side)
{
	const struct stage_config *persist = &side->config->stages[SLUICE_KIND_PERSIST];
	const struct sluice_stage_ops *ops = persist->present ? &persist->plugin->ops : NULL;
	const struct sluice_store_maintenance *maintenance = ops ? abi_maintenance(ops) : NULL;
	return (struct arm_store){
		.maintain = maintenance && maintenance->maintain ? maintain : NULL,
		.stats = maintenance && maintenance->stats ? stats : NULL,
		.scan = ops && ops->of.persist->scan ? scan : NULL,
		.drop = maintenance && maintenance->drop ? drop : NULL,
		.context = side,
	};
}

/* As the arm's server will read it: from its environment, and "exactly those". */
static const char *optimizations_of(const char *names)
{
	return strcmp(names, "none") == 0 ? "false" : strcmp(names, "file") == 0 ? "true" : names;
}

static struct config *load(const struct comparison_request *request, const struct side *side,
                           struct sluice_error *error)
{
	struct config_request asked = request->arguments->request;
	asked.file = side->plan.pipeline;
	asked.sets = side->sets;
	asked.optimizations = side->plan.optimizations;
	asked.optimizations_from = side->names == request->settings->a ? "--a" : "--b";
	return config_load(&asked, error);
}

static const struct sluice_option *find_location(const struct config *config)
{
	const struct stage_config *persist = &config->stages[SLUICE_KIND_PERSIST];
	const struct sluice_option *option = persist->present ? persist->plugin->ops.options : NULL;
	while (option && option->type != SLUICE_TYPE_END && !(option->flags & SLUICE_OPTION_LOCATION))
		option++;
	return option && option->type != SLUICE_TYPE_END ? option : NULL;
}

static bool add_set(struct side *side, const char *set, struct sluice_error *error)
{
	size_t count = 0;
	while (side->sets[count])
		count++;
	if (count == SIDE_SETS_MAX)
		return sluice_error_set(error, "too many of --set");
	side->sets[count] = set;
	return true;
}

/* The last one, which is where the rows of the life before are. */
static void drop_set(struct side *side)
{
	size_t count = 0;
	while (side->sets[count])
		count++;
	side->sets[count - 1] = NULL;
}

/* Tables of its own: where the rows are is the one setting that always differs. */
static bool choose_location(const struct comparison_request *request, struct side *side, const char *mark,
                            struct sluice_error *error)
{
	struct arena *arena = &request->arguments->arena;
	const struct stage_config *persist = &side->config->stages[SLUICE_KIND_PERSIST];
	const struct sluice_option *location = find_location(side->config);
	side->plan.location = "";
	if (!persist->present)
		return true;
	if (!location)
		return sluice_error_set(
			error,
			"persist/%s has no option that names where its rows are (SLUICE_OPTION_LOCATION), so two arms cannot be kept apart",
			persist->plugin->ops.name);
	const char *name = arena_printf(arena, "%s%s_%s", SLUICE_LAB_PREFIX, mark, side->plan.letter);
	char *folder = location->flags & SLUICE_OPTION_FILE ? realpath(request->settings->output, NULL) : NULL;
	side->plan.location = folder ? arena_printf(arena, "%s/%s", folder, name) : name;
	free(folder);
	return add_set(side, arena_printf(arena, "persist.%s=%s", location->name, side->plan.location), error);
}

/* What `sluice run` gets. */
static void fill_flags(const struct comparison_request *request, struct side *side)
{
	size_t count = 0;
	if (request->arguments->request.stage_path) {
		side->flags[count++] = "--stage-path";
		side->flags[count++] = request->arguments->request.stage_path;
	}
	for (size_t i = 0; side->sets[i]; i++) {
		side->flags[count++] = "--set";
		side->flags[count++] = side->sets[i];
	}
	side->flags[count] = NULL;
}

/* The overlays that are on, and the file where there are two. */
static const char *label_of(const struct comparison_request *request, const struct side *side)
{
	struct arena *arena = &request->arguments->arena;
	const char *label = NULL, *slash = strrchr(side->plan.pipeline, '/');
	const char *file = slash ? slash + 1 : side->plan.pipeline;
	for (const char *const *name = side->config->optimizations; name && *name; name++)
		label = label ? arena_printf(arena, "%s,%s", label, *name) : *name;
	if (strcmp(request->pipelines[0], request->pipelines[1]) != 0)
		return label ? arena_printf(arena, "%s %s", file, label) : arena_printf(arena, "%s", file);
	return label ? arena_printf(arena, "%s", label) : "none";
}

bool side_load(const struct comparison_request *request, struct side *side, size_t number, struct sluice_error *error)
{
	const struct comparison_settings *settings = request->settings;
	size_t which = settings->aa ? 0 : settings->single ? 1 : number;
	const char *const *sets = request->arguments->request.sets;
	side->names = which == 0 ? settings->a : settings->b;
	side->plan = (struct arm_plan){
		.program = request->program,
		.letter = number == 0 ? "a" : "b",
		.state = number == 0 ? "a" : "b",
		.pipeline = request->pipelines[which],
		.optimizations = optimizations_of(side->names),
		.flags = side->flags,
		.prepare = settings->prepare,
		.prepare_in = folder_of(settings->scenario, &request->arguments->arena),
	};
	for (size_t i = 0; sets && sets[i]; i++)
		if (!add_set(side, sets[i], error))
			return false;
	if (settings->profile && !add_set(side, "observability.processor_time=true", error))
		return false;
	side->config = load(request, side, error);
	if (!side->config)
		return false;
	memcpy(side->sha256, side->config->sha256, sizeof(side->sha256));
	side->plan.label = label_of(request, side);
	if (number == 1 && settings->aa)
		side->plan.label = arena_printf(&request->arguments->arena, "%s again", side->plan.label);
	return true;
}

bool side_fits(const struct comparison_request *request, const char *names, struct sluice_error *error)
{
	struct config_request asked = request->arguments->request;
	asked.file = request->pipelines[0];
	asked.optimizations = optimizations_of(names);
	asked.optimizations_from = "--each";
	struct config *config = config_load(&asked, error);
	config_free(config);
	return config != NULL;
}

static void list_stage_files(struct side *side, struct arena *arena)
{
	size_t count = 0;
	for (size_t kind = 0; kind < KIND_COUNT; kind++) {
		if (!side->config->stages[kind].present)
			continue;
		const char *path = side->config->stages[kind].plugin->path;
		char name[MODULE_NAME_SIZE];
		module_name(path, name);
		side->stage_files[count++] = (struct arm_file){path, arena_printf(arena, "memfd:%s (deleted)", name)};
	}
	side->stage_files[count] = (struct arm_file){NULL, NULL};
	side->plan.stage_files = side->stage_files;
}

bool side_separate(const struct comparison_request *request, struct side *side, const char *mark,
                   struct sluice_error *error)
{
	struct config *own = choose_location(request, side, mark, error) ? load(request, side, error) : NULL;
	if (!own)
		return false;
	config_free(side->config);
	side->config = own;
	fill_flags(request, side);
	list_stage_files(side, &request->arguments->arena);
	side->plan.store = store_of(side);
	return true;
}

bool side_renew(const struct comparison_request *request, struct side *side, const char *mark,
                struct sluice_error *error)
{
	if (!side->config->stages[SLUICE_KIND_PERSIST].present)
		return true;
	side->past = must_realloc(side->past, (side->past_count + 1) * sizeof(struct config *));
	side->past[side->past_count++] = config_share(side->config);
	drop_set(side);
	return side_separate(request, side, mark, error);
}

void side_mark(char mark[SIDE_MARK_SIZE])
{
	uint32_t number;
	digest_random(&number, sizeof(number));
	(void)snprintf(mark, SIDE_MARK_SIZE, "%08x", number);
}

void side_free(struct side *side)
{
	config_free(side->config);
	for (size_t i = 0; i < side->past_count; i++)
		config_free(side->past[i]);
	free(side->past);
}
