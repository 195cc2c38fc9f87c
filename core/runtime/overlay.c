#include "runtime/overlay.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "runtime/settings.h"
#include "yaml/bind.h"
#include "yaml/option.h"

enum { SET_DEPTH_MAX = 6 /* levels of a --set path */ };

/* Which overlays are on: a flag per member of `optimizations`. */
struct choice {
	struct unresolved_config *config;
	bool *on;
	size_t count;
};

static const char *name_at(const void *context, size_t i)
{
	const struct yaml_node *overlay = ((const struct yaml_node *)context)->first;
	while (i--)
		overlay = overlay->next;
	return overlay->key;
}

/* Switches the overlay of that name; false if there is none. */
static bool switch_one(struct choice *choice, const char *name, bool on)
{
	size_t i = 0;
	const struct yaml_node *optimizations = choice->config->optimizations;
	for (const struct yaml_node *overlay = optimizations ? optimizations->first : NULL; overlay;
	     overlay = overlay->next, i++) {
		if (strcmp(overlay->key, name) == 0) {
			choice->on[i] = on;
			return true;
		}
	}
	return false;
}

/* Refuses a name that is none of the overlays'. `place` as for yaml_fail(). */
static bool refuse_name(const struct unresolved_config *config, const struct yaml_node *place, const char *where,
                        const char *name, size_t count, struct sluice_error *error)
{
	const char *close = count ? option_did_you_mean(name, count, name_at, config->optimizations) : NULL;
	if (count == 0)
		return yaml_fail(place, error, "%sunknown optimization \"%s\"; the file has none", where, name);
	if (close)
		return yaml_fail(place, error, "%sunknown optimization \"%s\"; did you mean \"%s\"?", where, name,
		                 close);
	const char *all = "";
	for (size_t i = 0; i < count; i++)
		all = arena_printf(config->arena, "%s%s%s", all, i ? ", " : "", name_at(config->optimizations, i));
	return yaml_fail(place, error, "%sunknown optimization \"%s\"; expected one of: %s", where, name, all);
}

/* Switches each of "a, b"; `origin` says where the names come from. */
static bool switch_names(struct choice *choice, const char *names, bool on, const char *origin,
                         struct sluice_error *error)
{
	while (names && *names) {
		names += strspn(names, ", ");
		size_t size = strcspn(names, ", ");
		const char *name = arena_strndup(choice->config->arena, names, size);
		if (size && !switch_one(choice, name, on)) {
			struct yaml_node place = {.origin = origin};
			return refuse_name(choice->config, &place, "", name, choice->count, error);
		}
		names += size;
	}
	return true;
}

/* Calls `each` for the items of a list of names (or a single one). */
static bool each_name(struct choice *choice, const struct yaml_node *list, const char *where,
                      bool (*each)(struct choice *choice, const struct yaml_node *item), struct sluice_error *error)
{
	const struct yaml_node *item = list->type == YAML_LIST ? list->first : list;
	for (; item; item = list->type == YAML_LIST ? item->next : NULL) {
		if (item->type != YAML_TEXT || yaml_is_null(item))
			return yaml_fail(item, error, "%sexpected a list of names of optimizations, got %s", where,
			                 yaml_describe(item));
		if (!each(choice, item))
			return refuse_name(choice->config, item, where, item->text, choice->count, error);
	}
	return true;
}

static bool switch_on(struct choice *choice, const struct yaml_node *item)
{
	return switch_one(choice, item->text, true);
}

static bool is_known(struct choice *choice, const struct yaml_node *item)
{
	return yaml_get(choice->config->optimizations, item->text) != NULL;
}

static bool is_word(const char *text, const char *const *words)
{
	for (; text && *words; words++) {
		if (strcasecmp(text, *words) == 0)
			return true;
	}
	return false;
}

static const char *const yes_words[] = {"true", "1", "on", "yes", NULL};
static const char *const no_words[] = {"false", "0", "off", "no", NULL};

/* Which overlays the environment asks for, or the request in its place. */
struct switches {
	const char *text; /* NULL: nothing was said */
	const char *from; /* its name in errors */
};

static struct switches get_switches(const struct config_request *request)
{
	static const char variable[] = "ENABLE_OPTIMIZATIONS";
	if (request->optimizations)
		return (struct switches){request->optimizations, request->optimizations_from};
	return (struct switches){getenv(variable), variable};
}

static bool choose(struct choice *choice, const struct config_request *request, struct switches switches,
                   struct sluice_error *error)
{
	struct unresolved_config *config = choice->config;
	if (config->enable && !each_name(choice, config->enable, "enable: ", switch_on, error))
		return false;
	if (switches.text && *switches.text && !is_word(switches.text, yes_words)) {
		memset(choice->on, 0, choice->count * sizeof(*choice->on));
		if (!switch_names(choice, switches.text, true, switches.from, error))
			return false;
	}
	if (request->disable && strcmp(request->disable, "all") == 0)
		memset(choice->on, 0, choice->count * sizeof(*choice->on));
	else if (!switch_names(choice, request->disable, false, "--disable", error))
		return false;
	return switch_names(choice, request->enable, true, "--enable", error);
}

static bool check_stages(const struct yaml_node *stages, const char *where, struct sluice_error *error)
{
	if (stages->type != YAML_MAP)
		return yaml_fail(stages, error, "%sstages: expected a map by kind, such as { persist: { … } }, got %s",
		                 where, yaml_describe(stages));
	for (const struct yaml_node *stage = stages->first; stage; stage = stage->next) {
		enum sluice_kind kind;
		if (!kind_from_name(stage->key, &kind))
			return unresolved_refuse_kind(stage, where, error);
	}
	return true;
}

/* The names are those of conditions of the laboratory, and of stages' spans, which only it knows. */
static bool check_treats(const struct yaml_node *treats, const char *where, struct sluice_error *error)
{
	const struct yaml_node *item = treats->type == YAML_LIST ? treats->first : treats;
	for (; item; item = treats->type == YAML_LIST ? item->next : NULL) {
		if (item->type != YAML_TEXT || yaml_is_null(item) || !*item->text)
			return yaml_fail(item, error,
			                 "%streats: expected a condition, such as pool_wait, or a list, got %s", where,
			                 yaml_describe(item));
	}
	return true;
}

static const char *join(struct arena *arena, const char *const *names)
{
	const char *text = *names;
	while (*++names)
		text = arena_printf(arena, "%s, %s", text, *names);
	return text;
}

static bool check_key(struct choice *choice, const struct yaml_node *member, const char *where,
                      struct sluice_error *error)
{
	unsigned allowed = SETTINGS_IN_OVERLAY | SETTINGS_OF_OVERLAY, places = settings_places(member->key);
	struct arena *arena = choice->config->arena;
	if (!(places & allowed) && (places & SETTINGS_IN_FILE))
		return yaml_fail_at_key(member, error, "%s%s: an optimization cannot change this; it can change: %s",
		                        where, member->key, join(arena, settings_names(SETTINGS_IN_OVERLAY, arena)));
	if (!(places & allowed))
		return unresolved_refuse_key(member, where, settings_names(allowed, arena), error);
	if (config_section_find(member->key) && member->type != YAML_MAP)
		return yaml_fail(member, error, "%s%s: expected a map of settings, got %s", where, member->key,
		                 yaml_describe(member));
	if (strcmp(member->key, "about") == 0 && member->type != YAML_TEXT)
		return yaml_fail(member, error, "%sabout: expected a text, got %s", where, yaml_describe(member));
	if (strcmp(member->key, "excludes") == 0)
		return each_name(choice, member, arena_printf(choice->config->arena, "%sexcludes: ", where), is_known,
		                 error);
	if (strcmp(member->key, "treats") == 0)
		return check_treats(member, where, error);
	return strcmp(member->key, "stages") != 0 || check_stages(member, where, error);
}

/* The shape of every overlay, also of those that are off. */
static bool check_overlays(struct choice *choice, struct sluice_error *error)
{
	struct arena *arena = choice->config->arena;
	for (struct yaml_node *overlay = choice->config->optimizations->first; overlay; overlay = overlay->next) {
		const char *where = arena_printf(arena, "optimizations.%s: ", overlay->key);
		if (is_word(overlay->key, yes_words) || is_word(overlay->key, no_words) ||
		    strcmp(overlay->key, "all") == 0 || strpbrk(overlay->key, ", "))
			return yaml_fail_at_key(
				overlay, error,
				"optimizations: \"%s\" is not a valid name; expected one word other than all, true, false, on, off, yes, no",
				overlay->key);
		if (overlay->type != YAML_MAP)
			return yaml_fail(overlay, error, "%sexpected a map of the settings it changes, got %s", where,
			                 yaml_describe(overlay));
		if (!yaml_rename(overlay, "", settings_renamed, arena, error) ||
		    !yaml_rename(yaml_get(overlay, "stages"), "", settings_renamed, arena, error))
			return false;
		for (const struct yaml_node *member = overlay->first; member; member = member->next) {
			if (!check_key(choice, member, where, error))
				return false;
		}
	}
	return true;
}

static bool excludes(const struct yaml_node *overlay, const struct yaml_node *other)
{
	const struct yaml_node *list = yaml_get(overlay, "excludes");
	const struct yaml_node *item = list && list->type == YAML_LIST ? list->first : list;
	for (; item; item = list->type == YAML_LIST ? item->next : NULL) {
		if (strcmp(item->text, other->key) == 0)
			return true;
	}
	return false;
}

/* A member that changes nothing. */
static bool is_remark(const struct yaml_node *member)
{
	return settings_places(member->key) & SETTINGS_OF_OVERLAY;
}

/* Whether what both overlays set is the same. */
static bool agree(const struct choice *choice, const struct yaml_node *one, const struct yaml_node *other,
                  const char *const names[2], const char *path, struct sluice_error *error)
{
	for (const struct yaml_node *a = one->first; a; a = a->next) {
		const struct yaml_node *b = yaml_get(other, a->key);
		if (!b || (!*path && is_remark(a)))
			continue;
		const char *place = arena_printf(choice->config->arena, "%s%s%s", path, *path ? "." : "", a->key);
		bool same = a->type == YAML_MAP && b->type == YAML_MAP ? agree(choice, a, b, names, place, error)
		                                                       : yaml_equal(a, b);
		if (!same)
			return yaml_fail(
				b, error,
				"optimizations \"%s\" and \"%s\" are both enabled and set %s to different values (the first in line %u); disable one of them",
				names[0], names[1], place, a->line);
	}
	return true;
}

static bool check_pair(const struct choice *choice, const struct yaml_node *one, const struct yaml_node *other,
                       struct sluice_error *error)
{
	const char *const names[2] = {one->key, other->key};
	if (excludes(one, other) || excludes(other, one))
		return yaml_fail_at_key(other, error,
		                        "optimizations \"%s\" and \"%s\" exclude each other; disable one of them",
		                        one->key, other->key);
	return agree(choice, one, other, names, "", error);
}

static bool patch_stages(struct unresolved_config *config, const struct yaml_node *stages, const char *layer,
                         struct sluice_error *error)
{
	for (const struct yaml_node *stage = stages->first; stage; stage = stage->next) {
		enum sluice_kind kind;
		(void)kind_from_name(stage->key, &kind);
		if (!unresolved_patch_stage(config, kind, stage, layer, error))
			return false;
	}
	return true;
}

static bool apply_one(struct unresolved_config *config, const struct yaml_node *overlay, struct sluice_error *error)
{
	for (const struct yaml_node *member = overlay->first; member; member = member->next) {
		if (strcmp(member->key, "stages") == 0) {
			if (!patch_stages(config, member, overlay->key, error))
				return false;
		} else if (!is_remark(member)) {
			unresolved_patch(config, member->key, member, overlay->key);
		}
	}
	return true;
}

/* Checks those that are on against each other, applies them and lists their names. */
static bool apply_chosen(const struct choice *choice, const char **enabled, struct sluice_error *error)
{
	struct unresolved_config *config = choice->config;
	size_t i = 0;
	for (const struct yaml_node *overlay = config->optimizations->first; overlay; overlay = overlay->next, i++) {
		size_t j = i + 1;
		for (const struct yaml_node *later = overlay->next; later; later = later->next, j++) {
			if (choice->on[i] && choice->on[j] && !check_pair(choice, overlay, later, error))
				return false;
		}
	}
	i = 0;
	for (const struct yaml_node *overlay = config->optimizations->first; overlay; overlay = overlay->next, i++) {
		if (!choice->on[i])
			continue;
		if (!apply_one(config, overlay, error))
			return false;
		*enabled++ = overlay->key;
	}
	return true;
}

static bool apply_overlays(struct unresolved_config *config, const struct config_request *request,
                           const char *const **enabled_out, struct sluice_error *error)
{
	struct switches switches = get_switches(request);
	static const char *const none[] = {NULL};
	struct choice choice = {.config = config};
	*enabled_out = none;
	if (is_word(switches.text, no_words))
		return true;
	if (config->optimizations && config->optimizations->type != YAML_MAP)
		return yaml_fail(config->optimizations, error,
		                 "optimizations: expected a map of overlays by name, got %s",
		                 yaml_describe(config->optimizations));
	for (const struct yaml_node *i = config->optimizations ? config->optimizations->first : NULL; i; i = i->next)
		choice.count++;
	choice.on = arena_must(config->arena, (choice.count + 1) * sizeof(*choice.on));
	if ((choice.count && !check_overlays(&choice, error)) || !choose(&choice, request, switches, error))
		return false;
	const char **enabled = arena_must(config->arena, (choice.count + 1) * sizeof(*enabled));
	*enabled_out = enabled;
	return choice.count == 0 || apply_chosen(&choice, enabled, error);
}

static bool apply_latency_profiling(struct unresolved_config *config, struct sluice_error *error)
{
	const char *environment = getenv("ENABLE_LATENCY_PROFILING");
	if (!environment || !*environment)
		return true;
	bool on = is_word(environment, yes_words);
	if (!on && !is_word(environment, no_words))
		return sluice_error_set(error, "ENABLE_LATENCY_PROFILING: expected true or false, got %.40s",
		                        environment);
	struct yaml_node place = {.origin = "ENABLE_LATENCY_PROFILING"};
	struct yaml_node *patch = yaml_new_map(config->arena, &place);
	yaml_put(patch, "latency_profile", yaml_new_text(config->arena, &place, on ? "true" : "false"));
	unresolved_patch(config, "observability", patch, place.origin);
	return true;
}

/* The value of a --set: a list or map as YAML in one line, everything else a text as it is. */
static struct yaml_node *read_value(struct unresolved_config *config, const struct yaml_node *place, const char *text,
                                    struct sluice_error *error)
{
	if (!utf8_valid(text, strlen(text))) {
		yaml_fail(place, error, "the value is not UTF-8");
		return NULL;
	}
	if (*text != '[' && *text != '{')
		return yaml_new_text(config->arena, place, text);
	return yaml_read_text(place->origin, text, strlen(text), config->arena, error);
}

/* { a: { b: value } } for "a.b" */
static struct yaml_node *nest(struct unresolved_config *config, const char *path, struct yaml_node *value,
                              const struct yaml_node *place, unsigned depth, struct sluice_error *error)
{
	if (!path)
		return value;
	size_t size = strcspn(path, ".");
	if (size == 0 || depth > SET_DEPTH_MAX) {
		yaml_fail(place, error, "expected PATH=VALUE with a path such as persist.pool.max");
		return NULL;
	}
	struct yaml_node *map = yaml_new_map(config->arena, place);
	struct yaml_node *member = nest(config, path[size] ? path + size + 1 : NULL, value, place, depth + 1, error);
	if (!member)
		return NULL;
	yaml_put(map, arena_strndup(config->arena, path, size), member);
	return map;
}

static bool apply_set(struct unresolved_config *config, const char *set, struct sluice_error *error)
{
	const char *equals = strchr(set, '=');
	const char *path = arena_strndup(config->arena, set, equals ? (size_t)(equals - set) : 0);
	struct yaml_node place = {.origin = "--set"};
	if (!equals)
		return yaml_fail(&place, error, "expected PATH=VALUE, such as listen.port=0, got no \"=\"");
	struct yaml_node *value = read_value(config, &place, equals + 1, error);
	struct yaml_node *tree = value ? nest(config, path, value, &place, 0, error) : NULL;
	if (!tree || !yaml_rename(tree, "", settings_renamed, config->arena, error))
		return false;
	struct yaml_node *top = tree->first;
	enum sluice_kind kind;
	if (!(settings_places(top->key) & SETTINGS_IN_SET))
		return unresolved_refuse_key(top, "", settings_names(SETTINGS_IN_SET, config->arena), error);
	if (!kind_from_name(top->key, &kind)) {
		unresolved_patch(config, top->key, top, "--set");
		return true;
	}
	if (top->type == YAML_TEXT) { /* persist=sqlite, as the file would have it */
		struct yaml_node *stage = yaml_new_map(config->arena, &place);
		yaml_put(stage, "use", top);
		top = stage;
	}
	return unresolved_patch_stage(config, kind, top, "--set", error);
}

bool overlay_apply(struct unresolved_config *config, const struct config_request *request,
                   const char *const **enabled_out, struct sluice_error *error)
{
	if (!apply_overlays(config, request, enabled_out, error) || !apply_latency_profiling(config, error))
		return false;
	for (const char *const *set = request->sets; set && *set; set++) {
		if (!apply_set(config, *set, error))
			return false;
	}
	return true;
}

static const char *join_treated(const struct yaml_node *treats, struct arena *arena)
{
	const struct yaml_node *item = treats && treats->type == YAML_LIST ? treats->first : treats;
	const char *text = item ? item->text : "";
	while (item && treats->type == YAML_LIST && (item = item->next) != NULL)
		text = arena_printf(arena, "%s, %s", text, item->text);
	return text;
}

const char *const *overlay_treats(const struct unresolved_config *config, const char *const *enabled)
{
	size_t count = 0;
	while (enabled[count])
		count++;
	const char **treats = arena_must(config->arena, (count + 1) * sizeof(*treats));
	for (size_t i = 0; i < count; i++) {
		const struct yaml_node *overlay = yaml_get(config->optimizations, enabled[i]);
		treats[i] = join_treated(yaml_get(overlay, "treats"), config->arena);
	}
	return treats;
}

bool overlay_list(const char *file, void (*each)(void *context, const char *name, const char *about), void *context,
                  struct sluice_error *error)
{
	struct arena arena;
	arena_init(&arena, 16384, NULL);
	const struct yaml_node *top = yaml_read_file(file, &arena, error);
	const struct yaml_node *overlay = bind_get(top, "optimizations");
	for (overlay = overlay && overlay->type == YAML_MAP ? overlay->first : NULL; overlay; overlay = overlay->next) {
		const struct yaml_node *about = yaml_get(overlay, "about");
		each(context, overlay->key, about && about->type == YAML_TEXT ? about->text : "");
	}
	arena_finish(&arena);
	return top;
}
