/*
 * Recursive descent over libyaml's events. libyaml takes more than a pipeline file may hold, so what it yields is
 * checked here: bytes before it sees them, structure while the tree grows.
 */
#include "yaml/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <yaml.h>

#include "base/buffer.h"
#include "base/utf8.h"

struct anchor {
	const char *name;
	struct yaml_node *node;
	struct anchor *next;
};

struct reader {
	yaml_parser_t parser;
	const char *origin;
	const char *text;
	size_t size;
	struct arena *arena;
	struct sluice_error *error;
	struct anchor *anchors;
	size_t nodes;
};

SLUICE_PRINTF(3, 4)
static struct yaml_node *refuse(struct reader *reader, yaml_mark_t mark, const char *format, ...)
{
	struct yaml_node place = {
		.origin = reader->origin, .line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1};
	struct sluice_error sentence;
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(sentence.text, sizeof(sentence.text), format, arguments);
	va_end(arguments);
	yaml_fail(&place, reader->error, "%s", sentence.text);
	return NULL;
}

/* The position of a byte; characters count, not bytes. */
static yaml_mark_t mark_of_offset(const struct reader *reader, size_t offset)
{
	yaml_mark_t mark = {offset, 0, 0};
	for (size_t i = 0; i < offset && i < reader->size; i++) {
		if (reader->text[i] == '\n') {
			mark.line++;
			mark.column = 0;
		} else if (((unsigned char)reader->text[i] & 0xc0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

static const char *line_at(const struct reader *reader, size_t line)
{
	const char *text = reader->text, *end = reader->text + reader->size;
	for (; line > 0 && text < end; text++)
		line -= *text == '\n';
	return text;
}

static bool line_is_indented_by_tab(const struct reader *reader, size_t line)
{
	const char *text = line_at(reader, line), *end = reader->text + reader->size;
	while (text < end && *text == ' ')
		text++;
	return text < end && *text == '\t';
}

/* How far a line is indented, and how far what stands behind its "- "; false: it is empty or a comment. */
static bool measure_line(const struct reader *reader, size_t line, size_t levels[2])
{
	const char *start = line_at(reader, line), *end = reader->text + reader->size, *at = start;
	while (at < end && *at == ' ')
		at++;
	levels[0] = levels[1] = (size_t)(at - start);
	while (end - at > 1 && at[0] == '-' && at[1] == ' ') {
		for (at++; at < end && *at == ' '; at++)
			;
		levels[1] = (size_t)(at - start);
	}
	return at < end && *at != '\n' && *at != '\r' && *at != '#';
}

enum { LEVELS_MAX = 2 * YAML_DEPTH_MAX };

/* The indentations that a line may have, as those above it have them, the deepest first. */
static size_t list_levels(const struct reader *reader, size_t line, size_t levels_out[LEVELS_MAX])
{
	size_t count = 0, own[2], limit = SIZE_MAX;
	while (line-- > 0 && limit > 0 && count + 2 <= LEVELS_MAX) {
		if (!measure_line(reader, line, own) || own[0] >= limit)
			continue;
		if (own[1] > own[0] && own[1] < limit)
			levels_out[count++] = own[1];
		levels_out[count++] = limit = own[0];
	}
	return count;
}

/* Says it where the line that cannot be read is indented like none above it. */
static bool refuse_indentation(struct reader *reader, size_t line)
{
	size_t own[2], levels[LEVELS_MAX];
	struct buffer expected = {0};
	if (!measure_line(reader, line, own))
		return false;
	size_t count = list_levels(reader, line, levels);
	bool fits = count == 0;
	for (size_t i = count; i-- > 0; fits = fits || levels[i] == own[0])
		buffer_printf(&expected, "%s%zu", !expected.size ? "" : i ? ", " : " or ", levels[i]);
	if (!fits)
		refuse(reader, (yaml_mark_t){.line = line, .column = own[0]},
		       "this line is indented by %zu spaces, which fits none of the lines above it: expected %s",
		       own[0], expected.data);
	buffer_finish(&expected);
	return !fits;
}

static bool is_about_structure(const char *problem)
{
	static const char *const problems[] = {"did not find expected key", "did not find expected '-' indicator",
	                                       "mapping values are not allowed in this context",
	                                       "block sequence entries are not allowed in this context"};
	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++)
		if (strcmp(problem, problems[i]) == 0)
			return true;
	return false;
}

static void refuse_syntax(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	const char *problem = parser->problem ? parser->problem : "it cannot be read";
	if (parser->error == YAML_READER_ERROR)
		refuse(reader, mark_of_offset(reader, parser->problem_offset), "not a text file: %s", problem);
	else if (line_is_indented_by_tab(reader, parser->problem_mark.line))
		refuse(reader, (yaml_mark_t){.line = parser->problem_mark.line},
		       "a tab indents this line; YAML takes spaces only");
	else if (is_about_structure(problem) && refuse_indentation(reader, parser->problem_mark.line))
		return;
	else if (strcmp(problem, "could not find expected ':'") == 0)
		refuse(reader, parser->context_mark, "not valid YAML: a key must be followed by a colon and a space");
	else if (parser->context)
		refuse(reader, parser->problem_mark, "not valid YAML: %s %s that begins in line %zu", problem,
		       parser->context, parser->context_mark.line + 1);
	else
		refuse(reader, parser->problem_mark, "not valid YAML: %s", problem);
}

static bool next(struct reader *reader, yaml_event_t *event)
{
	if (yaml_parser_parse(&reader->parser, event))
		return true;
	refuse_syntax(reader);
	return false;
}

static struct yaml_node *new_node(struct reader *reader, enum yaml_type type, yaml_mark_t mark)
{
	if (++reader->nodes > YAML_NODES_MAX)
		return refuse(reader, mark, "more than %d values; a settings file has a few dozen", YAML_NODES_MAX);
	struct yaml_node *node = arena_must(reader->arena, sizeof(*node));
	node->type = type;
	node->origin = reader->origin;
	node->line = (unsigned)mark.line + 1;
	node->column = (unsigned)mark.column + 1;
	return node;
}

static void keep_anchor(struct reader *reader, const yaml_char_t *name, struct yaml_node *node)
{
	if (!name || !node)
		return;
	struct anchor *anchor = arena_must(reader->arena, sizeof(*anchor));
	*anchor = (struct anchor){arena_strdup(reader->arena, (const char *)name), node, reader->anchors};
	reader->anchors = anchor;
}

static size_t count_nodes(const struct yaml_node *node)
{
	size_t count = 1;
	for (const struct yaml_node *child = node->first; child; child = child->next)
		count += count_nodes(child);
	return count;
}

static size_t depth_of(const struct yaml_node *node)
{
	size_t deepest = 0;
	for (const struct yaml_node *child = node->first; child; child = child->next) {
		size_t depth = depth_of(child);
		deepest = depth > deepest ? depth : deepest;
	}
	return deepest + 1;
}

static struct yaml_node *read_alias(struct reader *reader, const yaml_event_t *event, size_t depth)
{
	const char *name = (const char *)event->data.alias.anchor;
	const struct anchor *anchor = reader->anchors;
	while (anchor && strcmp(anchor->name, name) != 0)
		anchor = anchor->next;
	if (!anchor)
		return refuse(reader, event->start_mark, "*%s: no &%s precedes it", name, name);
	reader->nodes += count_nodes(anchor->node);
	if (reader->nodes > YAML_NODES_MAX)
		return refuse(reader, event->start_mark, "*%s: exceeds the limit of %d values", name, YAML_NODES_MAX);
	if (depth + depth_of(anchor->node) > YAML_DEPTH_MAX + 1)
		return refuse(reader, event->start_mark, "*%s: exceeds the limit of %d levels", name, YAML_DEPTH_MAX);
	return yaml_copy(reader->arena, anchor->node);
}

static struct yaml_node *read_text(struct reader *reader, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t size = event->data.scalar.length;
	if (memchr(text, '\0', size))
		return refuse(reader, event->start_mark, "a NUL is not allowed here");
	struct yaml_node *node = new_node(reader, YAML_TEXT, event->start_mark);
	if (!node)
		return NULL;
	node->text = arena_strndup(reader->arena, text, size);
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return node;
}

static struct yaml_node *read_node(struct reader *reader, const yaml_event_t *event, size_t depth);

/* The items of a list up to its end. */
static bool read_items(struct reader *reader, struct yaml_node *list, size_t depth)
{
	for (size_t count = 0;; count++) {
		yaml_event_t event;
		if (!next(reader, &event))
			return false;
		bool ends = event.type == YAML_SEQUENCE_END_EVENT;
		struct yaml_node *item = NULL;
		if (!ends && count == YAML_ITEMS_MAX)
			refuse(reader, event.start_mark, "more than %d items in a list", YAML_ITEMS_MAX);
		else if (!ends)
			item = read_node(reader, &event, depth + 1);
		yaml_event_delete(&event);
		if (ends || !item)
			return ends;
		yaml_append(list, item);
	}
}

static bool key_is_fit(struct reader *reader, const struct yaml_node *map, const yaml_event_t *event, size_t count)
{
	yaml_mark_t mark = event->start_mark;
	if (event->type != YAML_SCALAR_EVENT)
		return refuse(reader, mark, "expected a string as key, got a list, a map or an alias");
	const char *key = (const char *)event->data.scalar.value;
	if (strcmp(key, "<<") == 0)
		return refuse(
			reader, mark,
			"merge keys (<<) are not supported; write the settings out, or make them an overlay under `optimizations`");
	if (count == YAML_ITEMS_MAX)
		return refuse(reader, mark, "more than %d keys in a map", YAML_ITEMS_MAX);
	if (event->data.scalar.tag)
		return refuse(reader, mark, "tags such as %s are not supported", (const char *)event->data.scalar.tag);
	if (!*key || memchr(key, '\0', event->data.scalar.length))
		return refuse(reader, mark, "expected a key, got an empty one");
	const struct yaml_node *earlier = yaml_get(map, key);
	if (earlier)
		return refuse(reader, mark, "%s: is given twice, first in line %u", key, earlier->key_line);
	return true;
}

/* The members of a map up to its end. */
static bool read_members(struct reader *reader, struct yaml_node *map, size_t depth)
{
	for (size_t count = 0;; count++) {
		yaml_event_t key, value;
		if (!next(reader, &key))
			return false;
		bool ends = key.type == YAML_MAPPING_END_EVENT;
		struct yaml_node *member = NULL;
		if (!ends && key_is_fit(reader, map, &key, count) && next(reader, &value)) {
			member = read_node(reader, &value, depth + 1);
			yaml_event_delete(&value);
		}
		if (member) {
			member->key = arena_strdup(reader->arena, (const char *)key.data.scalar.value);
			member->key_line = (unsigned)key.start_mark.line + 1;
			member->key_column = (unsigned)key.start_mark.column + 1;
			member->beside = map->last && yaml_is_null(map->last) ? map->last->key : NULL;
			yaml_append(map, member);
		}
		yaml_event_delete(&key);
		if (ends || !member)
			return ends;
	}
}

static struct yaml_node *read_collection(struct reader *reader, enum yaml_type type, const yaml_event_t *event,
                                         size_t depth)
{
	if (depth >= YAML_DEPTH_MAX)
		return refuse(reader, event->start_mark, "more than %d levels", YAML_DEPTH_MAX);
	struct yaml_node *node = new_node(reader, type, event->start_mark);
	if (!node || !(type == YAML_LIST ? read_items : read_members)(reader, node, depth))
		return NULL;
	return node;
}

static const yaml_char_t *tag_of(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.tag;
	default:
		return NULL;
	}
}

static struct yaml_node *read_node(struct reader *reader, const yaml_event_t *event, size_t depth)
{
	struct yaml_node *node;
	if (tag_of(event))
		return refuse(reader, event->start_mark, "tags such as %s are not supported",
		              (const char *)tag_of(event));
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return read_alias(reader, event, depth);
	case YAML_SCALAR_EVENT:
		node = read_text(reader, event);
		keep_anchor(reader, event->data.scalar.anchor, node);
		return node;
	case YAML_SEQUENCE_START_EVENT:
		node = read_collection(reader, YAML_LIST, event, depth);
		keep_anchor(reader, event->data.sequence_start.anchor, node);
		return node;
	case YAML_MAPPING_START_EVENT:
		node = read_collection(reader, YAML_MAP, event, depth);
		keep_anchor(reader, event->data.mapping_start.anchor, node);
		return node;
	default:
		return refuse(reader, event->start_mark, "expected a value");
	}
}

static bool expect(struct reader *reader, yaml_event_type_t type, const char *otherwise)
{
	yaml_event_t event;
	if (!next(reader, &event))
		return false;
	bool fits = event.type == type;
	if (!fits)
		refuse(reader, event.start_mark, "%s", otherwise);
	yaml_event_delete(&event);
	return fits;
}

static struct yaml_node *read_document(struct reader *reader)
{
	yaml_event_t event;
	if (!expect(reader, YAML_STREAM_START_EVENT, "expected a YAML stream") ||
	    !expect(reader, YAML_DOCUMENT_START_EVENT, "the file is empty; expected a map of settings") ||
	    !next(reader, &event))
		return NULL;
	struct yaml_node *top = read_node(reader, &event, 0);
	yaml_event_delete(&event);
	if (!top || !expect(reader, YAML_DOCUMENT_END_EVENT, "expected the end of the document") ||
	    !expect(reader, YAML_STREAM_END_EVENT, "a second document begins here; a settings file has one"))
		return NULL;
	return top;
}

static bool is_utf8(struct reader *reader)
{
	for (size_t i = 0; i < reader->size;) {
		size_t length = utf8_character(reader->text + i, reader->size - i);
		if (length == 0)
			return refuse(reader, mark_of_offset(reader, i), "not UTF-8: byte 0x%02x",
			              (unsigned)(unsigned char)reader->text[i]);
		i += length;
	}
	return true;
}

struct yaml_node *yaml_read_text(const char *origin, const char *text, size_t size, struct arena *arena,
                                 struct sluice_error *error)
{
	struct reader reader = {.origin = origin, .text = text, .size = size, .arena = arena, .error = error};
	if (!is_utf8(&reader))
		return NULL;
	if (!yaml_parser_initialize(&reader.parser)) {
		sluice_error_set(error, "%s: out of memory", origin);
		return NULL;
	}
	yaml_parser_set_input_string(&reader.parser, (const yaml_char_t *)text, size);
	struct yaml_node *top = read_document(&reader);
	yaml_parser_delete(&reader.parser);
	return top;
}

/* The whole file, or as much as shows that it is too large. */
static bool read_all(int fd, struct buffer *bytes)
{
	char chunk[16384];
	ssize_t got;
	while (bytes->size <= YAML_FILE_MAX && (got = read(fd, chunk, sizeof(chunk))) != 0) {
		if (got > 0)
			buffer_add(bytes, chunk, (size_t)got);
		else if (errno != EINTR)
			return false;
	}
	return true;
}

bool yaml_read_bytes(const char *path, struct buffer *bytes, struct sluice_error *error)
{
	bool ok = false;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || !read_all(fd, bytes))
		sluice_error_set(error, "%s: cannot be read: %s", path, strerror(errno));
	else if (bytes->size > YAML_FILE_MAX)
		sluice_error_set(error, "%s: is larger than %d KiB; is it a settings file?", path,
		                 YAML_FILE_MAX / 1024);
	else
		ok = true;
	if (fd >= 0)
		close(fd);
	return ok;
}

struct yaml_node *yaml_read_file(const char *path, struct arena *arena, struct sluice_error *error)
{
	struct buffer bytes = {0};
	struct yaml_node *top = NULL;
	if (yaml_read_bytes(path, &bytes, error))
		top = yaml_read_text(path, bytes.data ? bytes.data : "", bytes.size, arena, error);
	buffer_finish(&bytes);
	return top;
}
