#include "yaml/substitute.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/utf8.h"

static size_t name_length(const char *text)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	if (!*text || !strchr(letters, *text))
		return 0;
	size_t length = strspn(text, letters);
	while (text[length] && (strchr(letters, text[length]) || (text[length] >= '0' && text[length] <= '9')))
		length++;
	return length;
}

struct site {
	const struct yaml_node *node;
	const char *where;
	struct arena *arena;
};

/* Replaces the reference at `text`, which begins with "${". Returns what follows it, or NULL. */
static const char *replace(const struct site *site, const char *text, struct buffer *out, struct sluice_error *error)
{
	const char *start = text + 2;
	size_t length = name_length(start);
	const char *after = start + length;
	bool has_default = strncmp(after, ":-", 2) == 0;
	const char *close = strchr(text, '}');
	if (!close) {
		yaml_fail(site->node, error, "%s${ has no } after it; write $$ for a dollar", site->where);
		return NULL;
	}
	if (length == 0 || (!has_default && after != close)) {
		yaml_fail(site->node, error, "%sexpected ${NAME} or ${NAME:-default}, got %.*s; write $$ for a dollar",
		          site->where, (int)strcspn(start, ":}") + 2, text);
		return NULL;
	}
	const char *name = arena_strndup(site->arena, start, length);
	const char *value = getenv(name);
	if (value && !utf8_valid(value, strlen(value))) {
		yaml_fail(site->node, error, "%sthe environment variable %s is not UTF-8", site->where, name);
		return NULL;
	}
	if (value && (*value || !has_default)) {
		buffer_add_text(out, value);
	} else if (has_default) {
		buffer_add(out, after + 2, (size_t)(close - after) - 2);
	} else {
		yaml_fail(site->node, error,
		          "%sthe environment variable %s is not set; set it, or write ${%s:-default}", site->where,
		          name, name);
		return NULL;
	}
	return close + 1;
}

const char *substitute(const struct yaml_node *node, const char *where, struct arena *arena, struct sluice_error *error)
{
	if (!strchr(node->text, '$'))
		return node->text;
	struct site site = {node, where, arena};
	struct buffer out = {0};
	const char *text = node->text;
	while (text && *text) {
		size_t plain = strcspn(text, "$");
		buffer_add(&out, text, plain);
		text += plain;
		if (strncmp(text, "${", 2) == 0) {
			text = replace(&site, text, &out, error);
		} else if (*text) {
			buffer_add_text(&out, "$");
			text += text[1] == '$' ? 2 : 1;
		}
	}
	const char *result = text ? arena_strdup(arena, out.data ? out.data : "") : NULL;
	buffer_finish(&out);
	return result;
}
