/*
 * Folding stacks; see stacks.h.
 */
#include "lab/trial/stacks.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"

enum { FRAMES_MAX = 256 };

static const char unknown[] = "[unknown]"; /* as perf calls it */

/* A sample as it is read: a line with its thread, a line for each frame from the innermost on, an empty line. */
struct sample {
	char *thread;
	char *frames[FRAMES_MAX];
	size_t count;
};

struct stacks {
	char **lines;
	size_t count, room;
};

/* What separates frames and their number stands in no name. */
static char *take_name(const char *name)
{
	char *copy = must_strdup(name[0] ? name : unknown);
	for (char *at = copy; *at; at++)
		if (*at == ';' || *at == '\n')
			*at = ':';
	return copy;
}

static bool is_unknown(const char *frame)
{
	return strcmp(frame, unknown) == 0;
}

/* Several unknown callers in a row say as much as one. */
static void add_stack(struct stacks *stacks, struct sample *sample)
{
	struct buffer line = {0};
	buffer_add_text(&line, sample->thread);
	for (size_t i = sample->count; i-- > 0;)
		if (!is_unknown(sample->frames[i]) || i + 1 == sample->count || !is_unknown(sample->frames[i + 1]))
			buffer_printf(&line, ";%s", sample->frames[i]);
	for (size_t i = 0; i < sample->count; i++)
		free(sample->frames[i]);
	free(sample->thread);
	*sample = (struct sample){0};
	if (stacks->count == stacks->room) {
		stacks->room = stacks->room ? 2 * stacks->room : 256;
		stacks->lines = must_realloc(stacks->lines, stacks->room * sizeof(*stacks->lines));
	}
	stacks->lines[stacks->count++] = buffer_take(&line);
}

static void trim(char *line)
{
	size_t size = strlen(line);
	while (size > 0 && strchr(" \t\r\n:", line[size - 1]))
		line[--size] = '\0';
}

/* "  55d0c1a2 symbol": the address is left out. */
static void add_frame(struct sample *sample, const char *line)
{
	line += strspn(line, " \t");
	line += strcspn(line, " \t");
	line += strspn(line, " \t");
	if (sample->count < FRAMES_MAX)
		sample->frames[sample->count++] = take_name(line);
}

/* Threads that do the same are numbered: "sluice-work1" and its neighbours are one. */
static char *take_thread(char *line)
{
	size_t size = strlen(line);
	while (size > 1 && line[size - 1] >= '0' && line[size - 1] <= '9')
		line[--size] = '\0';
	return take_name(line);
}

static void read_samples(FILE *script, struct stacks *stacks)
{
	struct sample sample = {0};
	char *line = NULL;
	size_t room = 0;
	while (getline(&line, &room, script) >= 0) {
		bool is_indented = line[0] == ' ' || line[0] == '\t';
		trim(line);
		if (line[0] == '\0' && sample.thread)
			add_stack(stacks, &sample);
		else if (is_indented && sample.thread)
			add_frame(&sample, line);
		else if (line[0] && !is_indented && !sample.thread)
			sample.thread = take_thread(line);
	}
	if (sample.thread)
		add_stack(stacks, &sample);
	free(line);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

size_t stacks_fold(FILE *script, FILE *folded)
{
	struct stacks stacks = {0};
	read_samples(script, &stacks);
	if (stacks.count > 0)
		qsort(stacks.lines, stacks.count, sizeof(*stacks.lines), by_text);
	for (size_t from = 0, to; from < stacks.count; from = to) {
		for (to = from + 1; to < stacks.count && strcmp(stacks.lines[from], stacks.lines[to]) == 0; to++)
			;
		(void)fprintf(folded, "%s %zu\n", stacks.lines[from], to - from);
	}
	for (size_t i = 0; i < stacks.count; i++)
		free(stacks.lines[i]);
	free(stacks.lines);
	return stacks.count;
}
