/*
 * The tree itself: building, finding, comparing, and errors that say where.
 */
#include "yaml/yaml.h"

#include <string.h>

static bool fail_at(const char *origin, unsigned line, unsigned column, struct sluice_error *error, const char *format,
                    va_list arguments)
{
	struct sluice_error sentence;
	(void)vsnprintf(sentence.text, sizeof(sentence.text), format, arguments);
	if (line == 0)
		return sluice_error_set(error, "%s: %s", origin, sentence.text);
	return sluice_error_set(error, "%s:%u:%u: %s", origin, line, column, sentence.text);
}

bool yaml_fail(const struct yaml_node *node, struct sluice_error *error, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fail_at(node->origin, node->line, node->column, error, format, arguments);
	va_end(arguments);
	return false;
}

bool yaml_fail_at_key(const struct yaml_node *node, struct sluice_error *error, const char *format, ...)
{
	bool has_key = node->key_line != 0;
	va_list arguments;
	va_start(arguments, format);
	fail_at(node->origin, has_key ? node->key_line : node->line, has_key ? node->key_column : node->column, error,
	        format, arguments);
	va_end(arguments);
	return false;
}

void yaml_append(struct yaml_node *parent, struct yaml_node *node)
{
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
}

static struct yaml_node *new_at(struct arena *arena, const struct yaml_node *place, enum yaml_type type)
{
	struct yaml_node *node = arena_must(arena, sizeof(*node));
	node->type = type;
	node->origin = place->origin;
	node->line = place->line;
	node->column = place->column;
	return node;
}

struct yaml_node *yaml_new_text(struct arena *arena, const struct yaml_node *place, const char *text)
{
	struct yaml_node *node = new_at(arena, place, YAML_TEXT);
	node->text = arena_strdup(arena, text);
	return node;
}

struct yaml_node *yaml_new_map(struct arena *arena, const struct yaml_node *place)
{
	return new_at(arena, place, YAML_MAP);
}

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
	for (struct yaml_node *member = map ? map->first : NULL; member; member = member->next) {
		if (member->key && strcmp(member->key, key) == 0)
			return member;
	}
	return NULL;
}

void yaml_put(struct yaml_node *map, const char *key, struct yaml_node *node)
{
	struct yaml_node **place = &map->first;
	while (*place && strcmp((*place)->key, key) != 0)
		place = &(*place)->next;
	node->key = key;
	node->next = *place ? (*place)->next : NULL;
	*place = node;
	if (!node->next)
		map->last = node;
}

struct yaml_node *yaml_copy(struct arena *arena, const struct yaml_node *node)
{
	struct yaml_node *copy = arena_must(arena, sizeof(*copy));
	*copy = *node;
	copy->first = copy->last = copy->next = NULL;
	for (const struct yaml_node *child = node->first; child; child = child->next)
		yaml_append(copy, yaml_copy(arena, child));
	return copy;
}

static bool items_equal(const struct yaml_node *a, const struct yaml_node *b)
{
	const struct yaml_node *left = a->first, *right = b->first;
	while (left && right && yaml_equal(left, right)) {
		left = left->next;
		right = right->next;
	}
	return !left && !right;
}

static size_t count_children(const struct yaml_node *node)
{
	size_t count = 0;
	for (const struct yaml_node *child = node->first; child; child = child->next)
		count++;
	return count;
}

static bool members_equal(const struct yaml_node *a, const struct yaml_node *b)
{
	for (const struct yaml_node *member = a->first; member; member = member->next) {
		const struct yaml_node *other = yaml_get(b, member->key);
		if (!other || !yaml_equal(member, other))
			return false;
	}
	return count_children(a) == count_children(b);
}

bool yaml_equal(const struct yaml_node *a, const struct yaml_node *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case YAML_TEXT:
		return strcmp(a->text, b->text) == 0 && yaml_is_null(a) == yaml_is_null(b);
	case YAML_LIST:
		return items_equal(a, b);
	case YAML_MAP:
		return members_equal(a, b);
	}
	return false;
}

bool yaml_is_null(const struct yaml_node *node)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
	for (size_t i = 0; node->type == YAML_TEXT && node->plain && i < sizeof(nulls) / sizeof(nulls[0]); i++) {
		if (strcmp(node->text, nulls[i]) == 0)
			return true;
	}
	return false;
}

const char *yaml_describe(const struct yaml_node *node)
{
	if (yaml_is_null(node))
		return "nothing";
	switch (node->type) {
	case YAML_TEXT:
		return "a text";
	case YAML_LIST:
		return "a list";
	case YAML_MAP:
		return "a map";
	}
	return "something else";
}
