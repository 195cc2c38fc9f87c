/*
 * Reading a corpus; see corpus.h. A line is judged by jansson and kept as it stands.
 */
#include "lab/load/corpus.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

enum { BLOCK_SIZE = 1 << 20 };

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct sluice_bytes trimmed(const char *text, size_t size)
{
	while (size > 0 && is_space(*text)) {
		text++;
		size--;
	}
	while (size > 0 && is_space(text[size - 1]))
		size--;
	return (struct sluice_bytes){text, size};
}

static void add(struct corpus *corpus, size_t *room, struct sluice_bytes text)
{
	if (corpus->count == *room) {
		*room = *room ? 2 * *room : 64;
		corpus->payloads = must_realloc(corpus->payloads, *room * sizeof(*corpus->payloads));
	}
	corpus->payloads[corpus->count++] = (struct sluice_bytes){arena_strndup(&corpus->arena, text.data, text.size),
	                                                          text.size};
}

static bool is_json(struct sluice_bytes text, struct sluice_error *error)
{
	json_error_t cause;
	size_t any = JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL;
	json_t *value = json_loadb(text.data, text.size, any, &cause);
	bool good = value != NULL;
	json_decref(value);
	return good || sluice_error_set(error, "expected a JSON payload: %s at column %d", cause.text, cause.column);
}

static bool read_lines(struct corpus *corpus, FILE *file, const char *path, struct sluice_error *error)
{
	char *line = NULL;
	size_t line_room = 0, room = 0;
	ssize_t size;
	bool good = true;
	for (size_t number = 1; good && (size = getline(&line, &line_room, file)) >= 0; number++) {
		size_t mark = number == 1 ? utf8_mark_size(line, (size_t)size) : 0;
		struct sluice_bytes text = trimmed(line + mark, (size_t)size - mark);
		struct sluice_error cause = {0};
		if (text.size == 0)
			continue;
		good = is_json(text, &cause) || sluice_error_set(error, "%s:%zu: %s", path, number, cause.text);
		if (good)
			add(corpus, &room, text);
	}
	free(line);
	good = good && (!ferror(file) || sluice_error_set(error, "%s: reading stopped before its end", path));
	return good && (corpus->count > 0 || sluice_error_set(error, "%s: expected a JSON payload a line", path));
}

struct corpus *corpus_read(const char *path, struct sluice_error *error)
{
	FILE *file = fopen(path, "re");
	if (!file) {
		(void)sluice_error_set(error, "%s: cannot be read: %s", path, strerror(errno));
		return NULL;
	}
	struct corpus *corpus = must_calloc(1, sizeof(*corpus));
	arena_init(&corpus->arena, BLOCK_SIZE, NULL);
	bool good = read_lines(corpus, file, path, error);
	(void)fclose(file);
	if (good)
		return corpus;
	corpus_free(corpus);
	return NULL;
}

void corpus_free(struct corpus *corpus)
{
	if (!corpus)
		return;
	arena_finish(&corpus->arena);
	free(corpus->payloads);
	free(corpus);
}
