#include "yaml/rename.h"

#include <string.h>

/* Both ends of a row as they are called in the map at `prefix`; false if the row is of another one. */
static bool row_below(const struct yaml_rename *row, const char *prefix, struct yaml_rename *out)
{
	size_t size = strlen(prefix);
	if (strncmp(row->from, prefix, size) != 0 || strncmp(row->to, prefix, size) != 0)
		return false;
	*out = (struct yaml_rename){row->from + size, row->to + size};
	return true;
}

static void remove_member(struct yaml_node *map, const struct yaml_node *node)
{
	struct yaml_node *before = NULL;
	for (struct yaml_node *i = map->first; i != node; i = i->next)
		before = i;
	*(before ? &before->next : &map->first) = node->next;
	if (!node->next)
		map->last = before;
}

/* Removes the node at a path, and the maps that then are empty. */
static void remove_at(struct yaml_node *map, const char *path, struct arena *arena)
{
	size_t size = strcspn(path, ".");
	struct yaml_node *member = yaml_get(map, arena_strndup(arena, path, size));
	if (path[size])
		remove_at(member, path + size + 1, arena);
	if (!path[size] || !member->first)
		remove_member(map, member);
}

/* Where a path begins there are maps, or nothing. */
static bool can_put_at(const struct yaml_node *map, const char *path, struct arena *arena)
{
	for (const char *dot = strchr(path, '.'); dot && map; path = dot + 1, dot = strchr(path, '.')) {
		map = yaml_get(map, arena_strndup(arena, path, (size_t)(dot - path)));
		if (map && map->type != YAML_MAP)
			return false;
	}
	return true;
}

static void put_at(struct yaml_node *map, const char *path, struct yaml_node *node, struct arena *arena)
{
	for (const char *dot = strchr(path, '.'); dot; path = dot + 1, dot = strchr(path, '.')) {
		const char *key = arena_strndup(arena, path, (size_t)(dot - path));
		struct yaml_node *group = yaml_get(map, key);
		if (!group) {
			group = yaml_new_map(arena, node);
			yaml_put(map, key, group);
		}
		map = group;
	}
	yaml_put(map, path, node);
}

static void move(struct yaml_node *map, const char *from, const char *to, struct yaml_node *node, struct arena *arena)
{
	remove_at(map, from, arena);
	put_at(map, to, node, arena);
}

bool yaml_rename(struct yaml_node *map, const char *prefix, const struct yaml_rename *table, struct arena *arena,
                 struct sluice_error *error)
{
	for (const struct yaml_rename *row = table; row->from; row++) {
		struct yaml_rename here;
		const struct yaml_node *old = row_below(row, prefix, &here) ? bind_get(map, here.from) : NULL;
		if (!old || !can_put_at(map, here.to, arena))
			continue;
		if (bind_get(map, here.to))
			return yaml_fail_at_key(old, error, "%s is the old name of %s, which is also set; remove %s",
			                        row->from, row->to, row->from);
		struct sluice_error warning = {0};
		yaml_fail_at_key(old, &warning, "%s is deprecated; use %s instead", row->from, row->to);
		struct yaml_node *moved = yaml_copy(arena, old);
		moved->formerly = arena_strdup(arena, warning.text);
		move(map, here.from, here.to, moved, arena);
	}
	return true;
}

/* Whether a setting is called so, or a group of them. */
static bool knows(const struct bind *bind, const char *name)
{
	size_t size = strlen(name);
	for (size_t i = 0; i < bind->table_count; i++) {
		for (const struct sluice_option *option = bind->tables[i].options; option->type != SLUICE_TYPE_END;
		     option++) {
			if (strncmp(option->name, name, size) == 0 && strchr(".", option->name[size]))
				return true;
		}
	}
	return false;
}

void yaml_rename_undo(struct yaml_node *map, const char *prefix, const struct yaml_rename *table,
                      const struct bind *bind)
{
	for (const struct yaml_rename *row = table; row->from; row++) {
		struct yaml_rename here;
		const struct yaml_node *node = row_below(row, prefix, &here) ? bind_get(map, here.to) : NULL;
		if (!node || !node->formerly || knows(bind, here.to) || !knows(bind, here.from))
			continue;
		struct yaml_node *moved = yaml_copy(bind->arena, node);
		moved->formerly = NULL;
		move(map, here.to, here.from, moved, bind->arena);
	}
}
