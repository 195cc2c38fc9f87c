/*
 * A dot in an option's name is a level in the file, so a map is walked with the path so far as prefix.
 */
#include "yaml/bind.h"

#include <string.h>

#include "base/buffer.h"
#include "yaml/option.h"
#include "yaml/substitute.h"

enum { KNOWN_MAX = 128 /* names considered for "did you mean" */ };

/* The names that a map at `prefix` may have as keys. */
struct known {
	const char *names[KNOWN_MAX];
	size_t count;
};

static const char *known_at(const void *context, size_t i)
{
	return ((const struct known *)context)->names[i];
}

static void add_known(struct known *known, const char *name, struct arena *arena)
{
	name = arena_strndup(arena, name, strcspn(name, "."));
	for (size_t i = 0; i < known->count; i++) {
		if (strcmp(known->names[i], name) == 0)
			return;
	}
	if (known->count < KNOWN_MAX)
		known->names[known->count++] = name;
}

static struct known list_known(const struct bind *bind, const char *prefix)
{
	struct known known = {.count = 0};
	size_t length = strlen(prefix);
	for (size_t i = 0; i < bind->table_count; i++) {
		for (const struct sluice_option *option = bind->tables[i].options; option->type != SLUICE_TYPE_END;
		     option++) {
			if (strncmp(option->name, prefix, length) == 0)
				add_known(&known, option->name + length, bind->arena);
		}
	}
	return known;
}

static const char *join(const struct known *known, struct arena *arena)
{
	const char *text = "";
	for (size_t i = 0; i < known->count; i++)
		text = arena_printf(arena, "%s%s%s", text, i ? ", " : "", known->names[i]);
	return text;
}

/* A node in it that a layer has set; NULL: it is all as read from the file. */
static const struct yaml_node *find_layered(const struct yaml_node *node)
{
	if (node->layer)
		return node;
	for (const struct yaml_node *child = node->first; child; child = child->next) {
		const struct yaml_node *layered = find_layered(child);
		if (layered)
			return layered;
	}
	return NULL;
}

static bool refuse_unknown(const struct bind *bind, const struct yaml_node *node, const char *prefix,
                           struct sluice_error *error)
{
	const struct yaml_node *layered = find_layered(node);
	if (bind->drop_unknown && !layered)
		return true;
	struct known known = list_known(bind, prefix);
	const char *close = option_did_you_mean(node->key, known.count, known_at, &known);
	const char *name = arena_printf(bind->arena, "%s%s%s", bind->where, prefix, node->key);
	const char *by = layered && layered->line ? arena_printf(bind->arena, " (set by \"%s\")", layered->layer) : "";
	const struct yaml_node *place = layered ? layered : node;
	const char *dot = strchr(node->key, '.');
	if (dot && bind_find(bind, node->key))
		return yaml_fail_at_key(place, error, "%s: write a level for each dot: %.*s: { %s: … }", name,
		                        (int)(dot - node->key), node->key, dot + 1);
	if (close)
		return yaml_fail_at_key(place, error, "%s: unknown setting%s; did you mean \"%s\"?", name, by, close);
	if (known.count == 0)
		return yaml_fail_at_key(place, error, "%s: unknown setting%s; nothing can be set here", name, by);
	return yaml_fail_at_key(place, error, "%s: unknown setting%s; expected one of: %s%s%s%s", name, by,
	                        join(&known, bind->arena), node->beside ? "; if it belongs to `" : "",
	                        node->beside ? node->beside : "", node->beside ? "`, indent it deeper" : "");
}

static bool refuse_shape(const struct bind *bind, const struct yaml_node *node, const char *name,
                         const struct sluice_option *option, struct sluice_error *error)
{
	struct buffer expected = {0};
	option_describe(option, &expected);
	yaml_fail(node, error, "%s%s: expected %s, got %s", bind->where, name, expected.data, yaml_describe(node));
	buffer_finish(&expected);
	return false;
}

/* The texts of a TEXT or a LIST of them, for the option; NULL after an error. */
static const char **read_items(const struct bind *bind, const struct yaml_node *node, const char *name,
                               const struct sluice_option *option, size_t *count_out, struct sluice_error *error)
{
	bool is_list = node->type == YAML_LIST && option->type == SLUICE_TYPE_STRINGS;
	const struct yaml_node *item = is_list ? node->first : node;
	size_t count = 0;
	for (const struct yaml_node *i = item; i; i = i->next)
		count++;
	const char **items = arena_must(bind->arena, (count + 1) * sizeof(*items));
	const char *prefix = arena_printf(bind->arena, "%s%s: ", bind->where, name);
	*count_out = is_list ? count : 1;
	for (size_t i = 0; i < *count_out; i++, item = item->next) {
		if (item->type != YAML_TEXT || yaml_is_null(item)) {
			refuse_shape(bind, item, name, option, error);
			return NULL;
		}
		items[i] = substitute(item, prefix, bind->arena, error);
		if (!items[i])
			return NULL;
	}
	return items;
}

static bool bind_option(const struct bind *bind, const struct bind_table *table, const struct sluice_option *option,
                        const struct yaml_node *node, struct sluice_error *error)
{
	size_t count;
	const char **items = read_items(bind, node, option->name, option, &count, error);
	if (!items)
		return false;
	struct sluice_error cause = {0};
	if (!option_parse(option, table->config, items, count, bind->arena, &cause))
		return yaml_fail(node, error, "%s%s: %s", bind->where, option->name, cause.text);
	return true;
}

static const struct bind_table *find_table(const struct bind *bind, const char *name,
                                           const struct sluice_option **option_out)
{
	for (size_t i = 0; i < bind->table_count; i++) {
		*option_out = option_find(bind->tables[i].options, name);
		if (*option_out)
			return &bind->tables[i];
	}
	return NULL;
}

void bind_warn(const struct bind *bind, const struct yaml_node *node)
{
	struct bind_warnings *warnings = bind->warnings;
	if (warnings && node->formerly && warnings->count < BIND_WARNINGS_MAX)
		warnings->items[warnings->count++] = node->formerly;
}

/* A group without a value; where one stands beside it that may be meant to belong to it, that line is the wrong one. */
static bool refuse_group(const struct bind *bind, const struct yaml_node *node, const char *name,
                         const struct known *members, struct sluice_error *error)
{
	const struct yaml_node *next = node->next;
	const struct sluice_option *option;
	if (next && next->beside && strcmp(next->beside, node->key) == 0 &&
	    find_table(bind, arena_printf(bind->arena, "%s.%s", name, next->key), &option))
		return yaml_fail_at_key(next, error,
		                        "%s%s.%s: indent it deeper than `%s` in line %u, to which it belongs",
		                        bind->where, name, next->key, node->key, node->key_line);
	return yaml_fail(node, error, "%s%s: expected a map of: %s, got %s", bind->where, name,
	                 join(members, bind->arena), yaml_describe(node));
}

static bool bind_members(const struct bind *bind, const struct yaml_node *map, const char *prefix,
                         struct sluice_error *error)
{
	for (const struct yaml_node *node = map->first; node; node = node->next) {
		const char *name = arena_printf(bind->arena, "%s%s", prefix, node->key);
		const char *group = arena_printf(bind->arena, "%s.", name);
		const struct sluice_option *option;
		const struct bind_table *table = strchr(node->key, '.') ? NULL : find_table(bind, name, &option);
		struct known members = list_known(bind, group);
		bool fits;
		bind_warn(bind, node);
		if (table)
			fits = bind_option(bind, table, option, node, error);
		else if (members.count == 0)
			fits = refuse_unknown(bind, node, prefix, error);
		else if (node->type == YAML_MAP)
			fits = bind_members(bind, node, group, error);
		else
			fits = refuse_group(bind, node, name, &members, error);
		if (!fits)
			return false;
	}
	return true;
}

static bool has_required(const struct bind *bind, const struct yaml_node *map, const struct yaml_node *place,
                         struct sluice_error *error)
{
	for (size_t i = 0; i < bind->table_count; i++) {
		for (const struct sluice_option *option = bind->tables[i].options; option->type != SLUICE_TYPE_END;
		     option++) {
			if ((option->flags & SLUICE_OPTION_REQUIRED) && !bind_get(map, option->name)) {
				struct buffer expected = {0};
				option_describe(option, &expected);
				yaml_fail(place, error, "%s%s: is missing; expected %s: %s", bind->where, option->name,
				          expected.data, option->help ? option->help : "it has no default");
				buffer_finish(&expected);
				return false;
			}
		}
	}
	return true;
}

bool bind_map(const struct bind *bind, const struct yaml_node *map, const struct yaml_node *place,
              struct sluice_error *error)
{
	for (size_t i = 0; i < bind->table_count; i++) {
		struct sluice_error cause = {0};
		if (!option_fill_fallbacks(bind->tables[i].options, bind->tables[i].config, bind->arena, &cause))
			return yaml_fail(place, error, "%s%s", bind->where, cause.text);
	}
	if (map && map->type != YAML_MAP)
		return yaml_fail(map, error, "%.*s: expected a map of settings, got %s",
		                 (int)strcspn(bind->where, ".:"), bind->where, yaml_describe(map));
	return (!map || bind_members(bind, map, "", error)) && has_required(bind, map, place, error);
}

const struct sluice_option *bind_find(const struct bind *bind, const char *name)
{
	const struct sluice_option *option;
	return find_table(bind, name, &option) ? option : NULL;
}

const struct yaml_node *bind_get(const struct yaml_node *map, const char *path)
{
	while (map && map->type == YAML_MAP) {
		const struct yaml_node *member = map->first;
		size_t length = strcspn(path, ".");
		while (member && (strncmp(member->key, path, length) != 0 || member->key[length]))
			member = member->next;
		if (!path[length])
			return member;
		map = member;
		path += length + 1;
	}
	return NULL;
}
