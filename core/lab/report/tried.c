/*
 * Overlays that were compared before; see tried.h.
 */
#include "lab/report/tried.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/judge/outcome.h"
#include "lab/run/run.h"

static bool contains(const json_t *names, const json_t *name)
{
	size_t i;
	json_t *each;
	json_array_foreach (names, i, each) {
		if (json_equal(each, name))
			return true;
	}
	return false;
}

/* The one name that `all` has more than `fewer`; NULL: they differ in another way. */
static json_t *find_added(const json_t *all, const json_t *fewer)
{
	size_t i;
	json_t *each, *added = NULL;
	size_t shared = 0;
	json_array_foreach (all, i, each) {
		if (contains(fewer, each))
			shared++;
		else
			added = each;
	}
	bool is_one = shared == json_array_size(fewer) && json_array_size(all) == shared + 1;
	return is_one && json_is_string(added) ? added : NULL;
}

static const json_t *find_p95(const json_t *compared)
{
	size_t i;
	json_t *each;
	json_array_foreach (json_object_get(compared, "metrics"), i, each) {
		const char *name = json_string_value(json_object_get(each, "name"));
		if (name && strcmp(name, "p95") == 0)
			return each;
	}
	return NULL;
}

static const json_t *overlays_of(const json_t *about, size_t arm)
{
	return json_object_get(json_array_get(json_object_get(about, "arms"), arm), "optimizations");
}

/* NULL: the comparison is not of one overlay, or has no verdict. */
static json_t *describe(const char *directory, const json_t *about, const json_t *compared)
{
	const json_t *p95 = find_p95(compared), *before = overlays_of(about, 0);
	json_t *overlay = find_added(overlays_of(about, 1), before);
	const char *outcome = json_string_value(json_object_get(json_object_get(compared, "verdict"), "outcome"));
	const char *started = json_string_value(json_object_get(about, "started_at"));
	if (!overlay || !p95 || !outcome || !outcome_find(outcome))
		return NULL;
	return json_pack("{s:O, s:O, s:s, s:f, s:f, s:f, s:s, s:s}", "overlay", overlay, "beside", before, "outcome",
	                 outcome, "change", json_number_value(json_object_get(p95, "change")), "low",
	                 json_number_value(json_object_get(p95, "low")), "high",
	                 json_number_value(json_object_get(p95, "high")), "started_at", started ? started : "",
	                 "directory", directory);
}

static bool is_comparison(const char *directory)
{
	char *path = run_file(directory, RUN_COMPARE);
	bool is_there = access(path, F_OK) == 0;
	free(path);
	return is_there;
}

static bool read_one(const char *directory, json_t *trials, struct sluice_error *error)
{
	json_t *about = run_read_json(directory, RUN_ABOUT, error);
	json_t *compared = about ? run_read_json(directory, RUN_COMPARE, error) : NULL;
	json_t *trial = compared ? describe(directory, about, compared) : NULL;
	bool done = compared != NULL;
	if (trial)
		(void)json_array_append_new(trials, trial);
	json_decref(compared);
	json_decref(about);
	return done;
}

/* How many comparisons there are inside; -1 and a sentence: one cannot be read. */
static int read_inside(const char *directory, json_t *trials, struct sluice_error *error)
{
	struct dirent **entries;
	int found = 0, count = scandir(directory, &entries, NULL, alphasort);
	if (count < 0) {
		(void)sluice_error_set(error, "%s: %s", directory, strerror(errno));
		return -1;
	}
	for (int i = 0; i < count; i++) {
		char *inside = run_file(directory, entries[i]->d_name);
		if (found >= 0 && entries[i]->d_name[0] != '.' && is_comparison(inside))
			found = read_one(inside, trials, error) ? found + 1 : -1;
		free(inside);
		free(entries[i]);
	}
	free(entries);
	return found;
}

json_t *tried_read(const char *directory, struct sluice_error *error)
{
	json_t *trials = json_array();
	bool is_one = is_comparison(directory);
	bool done = !is_one || read_one(directory, trials, error);
	int inside = done ? read_inside(directory, trials, error) : -1;
	if (inside == 0 && !is_one) {
		(void)sluice_error_set(error, "%s: no comparison (" RUN_COMPARE ") here or in a directory inside it",
		                       directory);
		inside = -1;
	}
	if (inside >= 0)
		return trials;
	json_decref(trials);
	return NULL;
}

json_t *tried_of(const json_t *trials, const char *overlay)
{
	size_t i;
	json_t *each, *found = trials ? json_array() : NULL;
	json_array_foreach (trials, i, each) {
		if (strcmp(json_string_value(json_object_get(each, "overlay")), overlay) == 0)
			(void)json_array_append(found, each);
	}
	return found;
}

static void write_one(const json_t *trial, struct buffer *out)
{
	size_t i;
	const json_t *each;
	buffer_printf(out, "     Tried on %.10s", json_string_value(json_object_get(trial, "started_at")));
	json_array_foreach (json_object_get(trial, "beside"), i, each)
		buffer_printf(out, "%s%s", i == 0 ? " beside " : ", ", json_string_value(each));
	buffer_printf(out, ": %s, P95 %+.1f %% [%+.1f, %+.1f] (%s).\n",
	              json_string_value(json_object_get(trial, "outcome")),
	              100 * json_number_value(json_object_get(trial, "change")),
	              100 * json_number_value(json_object_get(trial, "low")),
	              100 * json_number_value(json_object_get(trial, "high")),
	              json_string_value(json_object_get(trial, "directory")));
}

void tried_write_text(const json_t *trials, const char *overlay, struct buffer *out)
{
	size_t i;
	json_t *each, *of = tried_of(trials, overlay);
	json_array_foreach (of, i, each)
		write_one(each, out);
	if (of && json_array_size(of) == 0)
		buffer_printf(out, "     %s was not tried in the comparisons given.\n", overlay);
	json_decref(of);
}
