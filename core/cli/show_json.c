/* A JSON document on its way to stdout. */
#include "cli/show_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"

/* To be freed; never NULL. */
static char *plain(const char *text, size_t size)
{
	char *line = NULL;
	size_t length;
	FILE *file = open_memstream(&line, &length);
	if (!file)
		abort();
	printable_write(file, PRINTABLE_LINE, text, size);
	if (fclose(file) != 0)
		abort();
	return line;
}

static json_t *plain_string(const json_t *string)
{
	char *line = plain(json_string_value(string), json_string_length(string));
	json_t *copy = json_string(line);
	free(line);
	return copy;
}

static json_t *plain_array(const json_t *array)
{
	json_t *copy = json_array();
	for (size_t i = 0; i < json_array_size(array); i++)
		(void)json_array_append_new(copy, show_json_plain(json_array_get(array, i)));
	return copy;
}

static json_t *plain_object(const json_t *object)
{
	json_t *copy = json_object(), *value;
	const char *key;
	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		char *line = plain(key, strlen(key));
		(void)json_object_set_new(copy, line, show_json_plain(value));
		free(line);
	}
	return copy;
}

json_t *show_json_plain(const json_t *document)
{
	if (json_is_string(document))
		return plain_string(document);
	if (json_is_array(document))
		return plain_array(document);
	if (json_is_object(document))
		return plain_object(document);
	return json_deep_copy(document);
}

bool show_json_print(const json_t *document, size_t digits)
{
	char *text = json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(digits));
	if (!text)
		return false;
	printable_write(stdout, PRINTABLE_TEXT, text, strlen(text));
	free(text);
	return putchar('\n') != EOF && fflush(stdout) == 0;
}
