#include "runtime/unresolved.h"

#include <string.h>

#include "base/buffer.h"
#include "runtime/settings.h"
#include "yaml/option.h"

static const char *item_at(const void *context, size_t i)
{
	return ((const char *const *)context)[i];
}

bool unresolved_refuse_key(const struct yaml_node *node, const char *where, const char *const *names,
                           struct sluice_error *error)
{
	struct buffer expected = {0};
	size_t count = 0;
	for (; names[count]; count++)
		buffer_printf(&expected, "%s%s", count ? ", " : "", names[count]);
	const char *close = option_did_you_mean(node->key, count, item_at, names);
	if (close)
		yaml_fail_at_key(node, error, "%s%s: unknown setting; did you mean \"%s\"?", where, node->key, close);
	else
		yaml_fail_at_key(node, error, "%s%s: unknown setting; expected one of: %s%s%s%s", where, node->key,
		                 expected.data, node->beside ? "; if it belongs to `" : "",
		                 node->beside ? node->beside : "", node->beside ? "`, indent it deeper" : "");
	buffer_finish(&expected);
	return false;
}

bool unresolved_refuse_kind(const struct yaml_node *node, const char *where, struct sluice_error *error)
{
	const char *close = option_did_you_mean(node->key, KIND_COUNT, item_at, kind_names);
	return yaml_fail_at_key(node, error, "%s%s: unknown kind of stage; %s%s%s", where, node->key,
	                        close ? "did you mean \"" : "expected one of: auth, parse, idempotency, queue, persist",
	                        close ? close : "", close ? "\"?" : "");
}

/* The first key of an item of `stages` names the kind. */
static bool read_kind(const struct yaml_node *item, enum sluice_kind *kind_out, struct sluice_error *error)
{
	if (item->type != YAML_MAP || !item->first)
		return yaml_fail(item, error, "stages: expected `KIND: IMPLEMENTATION`, such as `parse: json`, got %s",
		                 yaml_describe(item));
	if (kind_from_name(item->first->key, kind_out))
		return true;
	enum sluice_kind other;
	for (const struct yaml_node *member = item->first->next; member; member = member->next) {
		if (kind_from_name(member->key, &other))
			return yaml_fail_at_key(
				item->first, error,
				"stages: expected the kind first: write `- %s: …` before its settings, got %s",
				member->key, item->first->key);
	}
	return unresolved_refuse_kind(item->first, "stages: ", error);
}

static bool read_use(const struct yaml_node *use, const char *kind, struct sluice_error *error)
{
	if (use->type == YAML_TEXT && !yaml_is_null(use) && use->text[0])
		return true;
	return yaml_fail(use, error, "%s: expected the name of an implementation, such as `%s: %s`, got %s", kind, kind,
	                 strcmp(kind, "parse") == 0 ? "json" : "memory",
	                 use->type == YAML_TEXT ? "nothing" : yaml_describe(use));
}

static bool read_options(struct unresolved_stage *stage, const struct yaml_node *item, struct arena *arena,
                         struct sluice_error *error)
{
	stage->options = yaml_new_map(arena, item);
	for (const struct yaml_node *member = item->first->next; member; member = member->next) {
		enum sluice_kind kind;
		if (kind_from_name(member->key, &kind))
			return yaml_fail_at_key(member, error,
			                        "stages: %s: is a separate stage; begin its line with `- `",
			                        member->key);
		if (strcmp(member->key, "use") == 0)
			return yaml_fail_at_key(member, error, "%s: use: is for overlays only; here write `%s: %s`",
			                        item->first->key, item->first->key,
			                        member->type == YAML_TEXT ? member->text : "NAME");
		if (strcmp(member->key, "sha256") == 0)
			stage->sha256 = yaml_copy(arena, member);
		else
			yaml_put(stage->options, member->key, yaml_copy(arena, member));
	}
	return yaml_rename(stage->options, arena_printf(arena, "%s.", item->first->key), settings_renamed, arena,
	                   error);
}

static bool read_stage(struct unresolved_config *config, const struct yaml_node *item, int *last_kind,
                       struct sluice_error *error)
{
	enum sluice_kind kind = SLUICE_KIND_AUTH;
	if (!read_kind(item, &kind, error) || !read_use(item->first, kind_names[kind], error))
		return false;
	struct unresolved_stage *stage = &config->stages[kind];
	if (stage->place)
		return yaml_fail_at_key(item->first, error,
		                        "stages: %s: is given twice, first in line %u; each kind may appear once",
		                        kind_names[kind], stage->place->line);
	if ((int)kind < *last_kind)
		return yaml_fail_at_key(
			item->first, error,
			"stages: %s: comes after %s; the order is auth, parse, idempotency, queue, persist",
			kind_names[kind], kind_names[*last_kind]);
	*last_kind = (int)kind;
	stage->place = item;
	stage->use = yaml_copy(config->arena, item->first);
	return read_options(stage, item, config->arena, error);
}

static bool read_stages(struct unresolved_config *config, const struct yaml_node *file, struct sluice_error *error)
{
	const struct yaml_node *stages = yaml_get(file, "stages");
	if (!stages)
		return yaml_fail(file, error, "stages: missing; expected a list of stages, such as `- parse: json`");
	if (stages->type != YAML_LIST || !stages->first)
		return yaml_fail(stages, error, "stages: expected a list of stages, each beginning with `- `, got %s",
		                 stages->type == YAML_LIST ? "an empty one" : yaml_describe(stages));
	int last_kind = 0;
	for (const struct yaml_node *item = stages->first; item; item = item->next) {
		if (!read_stage(config, item, &last_kind, error))
			return false;
	}
	return true;
}

bool unresolved_read(struct unresolved_config *config, const struct yaml_node *file, struct arena *arena,
                     struct sluice_error *error)
{
	*config = (struct unresolved_config){.arena = arena, .top = yaml_new_map(arena, file)};
	if (file->type != YAML_MAP)
		return yaml_fail(file, error, "expected a map with `stages:` and other sections, got %s",
		                 yaml_describe(file));
	struct yaml_node *map = yaml_copy(arena, file);
	if (!yaml_rename(map, "", settings_renamed, arena, error))
		return false;
	for (const struct yaml_node *member = map->first; member; member = member->next) {
		if (!(settings_places(member->key) & SETTINGS_IN_FILE))
			return unresolved_refuse_key(member, "", settings_names(SETTINGS_IN_FILE, arena), error);
		if (strcmp(member->key, "optimizations") == 0)
			config->optimizations = yaml_copy(arena, member);
		else if (strcmp(member->key, "enable") == 0)
			config->enable = yaml_copy(arena, member);
		else if (strcmp(member->key, "stages") != 0)
			yaml_put(config->top, member->key, yaml_copy(arena, member));
	}
	return read_stages(config, map, error);
}

static void mark(struct yaml_node *node, const char *layer)
{
	node->layer = layer;
	for (struct yaml_node *child = node->first; child; child = child->next)
		mark(child, layer);
}

static void merge(struct arena *arena, struct yaml_node *into, const struct yaml_node *patch, const char *layer)
{
	for (const struct yaml_node *member = patch->first; member; member = member->next) {
		struct yaml_node *old = yaml_get(into, member->key);
		if (old && old->type == YAML_MAP && member->type == YAML_MAP) {
			old->formerly = old->formerly ? old->formerly : member->formerly;
			merge(arena, old, member, layer);
			continue;
		}
		struct yaml_node *copy = yaml_copy(arena, member);
		mark(copy, layer);
		yaml_put(into, member->key, copy);
	}
}

void unresolved_patch(struct unresolved_config *config, const char *section, const struct yaml_node *patch,
                      const char *layer)
{
	struct yaml_node *holder = yaml_new_map(config->arena, patch);
	yaml_put(holder, section, yaml_copy(config->arena, patch));
	merge(config->arena, config->top, holder, layer);
}

static bool change_use(struct unresolved_config *config, enum sluice_kind kind, const struct yaml_node *patch,
                       const struct yaml_node *use, struct sluice_error *error)
{
	struct unresolved_stage *stage = &config->stages[kind];
	if (!read_use(use, kind_names[kind], error))
		return false;
	if (!stage->place) {
		stage->place = patch;
		stage->options = yaml_new_map(config->arena, patch);
	} else if (strcmp(stage->use->text, use->text) != 0) {
		stage->replaced = true;
		stage->sha256 = NULL;
	}
	stage->use = yaml_copy(config->arena, use);
	return true;
}

static bool is_empty(const struct yaml_node *node)
{
	return yaml_is_null(node) || (node->type == YAML_TEXT && !*node->text);
}

bool unresolved_patch_stage(struct unresolved_config *config, enum sluice_kind kind, const struct yaml_node *patch,
                            const char *layer, struct sluice_error *error)
{
	struct unresolved_stage *stage = &config->stages[kind];
	if (patch->type != YAML_MAP)
		return yaml_fail(patch, error, "%s: expected a map of settings, such as { use: NAME }, got %s",
		                 kind_names[kind], yaml_describe(patch));
	const struct yaml_node *use = yaml_get(patch, "use");
	if (use && !change_use(config, kind, patch, use, error))
		return false;
	if (!stage->place)
		return yaml_fail(patch, error, "%s: the pipeline has no stage of this kind; add one with `use: NAME`",
		                 kind_names[kind]);
	const struct yaml_node *sha256 = yaml_get(patch, "sha256");
	if (sha256)
		stage->sha256 = is_empty(sha256) ? NULL : yaml_copy(config->arena, sha256);
	struct yaml_node *options = yaml_new_map(config->arena, patch);
	for (const struct yaml_node *member = patch->first; member; member = member->next) {
		if (member != use && member != sha256)
			yaml_put(options, member->key, yaml_copy(config->arena, member));
	}
	merge(config->arena, stage->options, options, layer);
	return true;
}
