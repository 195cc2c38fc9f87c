/*
 * What a server held: memory and descriptors, from the blocks of run.json, and how far a growth is known, from samples.jsonl.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/file.h"
#include "lab/gate/criteria.h"
#include "lab/run/estimate.h"

enum { SAMPLE_MAX = 1024 * 1024 /* bytes of a line */, SERIES_FIRST = 64 };
#define MEMORY_GAUGE "process_resident_memory_bytes"
#define GROWTH_ALPHA 0.1 /* each side is judged by itself, at 95 % */

/* A gauge of the server before its first block and at the end of each; known from two values on. */
struct gauge {
	bool known;
	double first, last, highest;
};

static void take_gauge(struct gauge *gauge, double value)
{
	if (value <= 0)
		return;
	gauge->known = gauge->highest > 0;
	gauge->first = gauge->known ? gauge->first : value;
	gauge->last = value;
	gauge->highest = value > gauge->highest ? value : gauge->highest;
}

static struct gauge read_gauge(const struct gate_source *source, const char *before, const char *after)
{
	struct gauge gauge = {false, 0, 0, 0};
	size_t i;
	json_t *block;
	json_array_foreach (json_object_get(source->run->about, "blocks"), i, block) {
		if (json_integer_value(json_object_get(block, "arm")) != source->arm)
			continue;
		if (gauge.highest == 0)
			take_gauge(&gauge, json_number_value(json_object_get(block, before)));
		take_gauge(&gauge, json_number_value(json_object_get(block, after)));
	}
	return gauge;
}

static struct gauge read_memory(const struct gate_source *source)
{
	return read_gauge(source, "rss_before_bytes", "rss_bytes");
}

/* What the sampler saw of a gauge while the arm was under load, in the order of time. */
struct series {
	int64_t *values;
	size_t count, room;
};

static bool is_under_load(const struct gate_source *source, double at_ms)
{
	size_t i;
	json_t *block;
	json_array_foreach (json_object_get(source->run->about, "blocks"), i, block) {
		if (json_integer_value(json_object_get(block, "arm")) == source->arm &&
		    at_ms >= json_number_value(json_object_get(block, "start_ms")) &&
		    at_ms <= json_number_value(json_object_get(block, "end_ms")))
			return true;
	}
	return false;
}

static void take_sample(const struct gate_source *source, const json_t *sample, const char *gauge,
                        struct series *series)
{
	double value = json_number_value(json_object_get(json_object_get(sample, "gauges"), gauge));
	if (json_integer_value(json_object_get(sample, "arm")) != source->arm || !(value > 0 && value < 1e18) ||
	    !is_under_load(source, json_number_value(json_object_get(sample, "at_ms"))))
		return;
	if (series->count == series->room) {
		series->room = series->room > 0 ? 2 * series->room : SERIES_FIRST;
		series->values = must_realloc(series->values, series->room * sizeof(*series->values));
	}
	series->values[series->count++] = (int64_t)value;
}

static bool read_series(const struct gate_source *source, const char *gauge, struct series *series,
                        struct sluice_error *error)
{
	char *path = run_file(source->run->path, RUN_SAMPLES), *line = must_alloc(SAMPLE_MAX);
	FILE *file = file_open(path, error);
	bool good = file != NULL;
	while (good && fgets(line, SAMPLE_MAX, file)) {
		json_t *sample = json_loads(line, 0, NULL);
		good = sample != NULL;
		if (good)
			take_sample(source, sample, gauge, series);
		else
			(void)sluice_error_set(error, "%s: expected a JSON value of at most %d bytes a line", path,
			                       SAMPLE_MAX - 1);
		json_decref(sample);
	}
	if (file)
		(void)fclose(file);
	free(line);
	free(path);
	return good;
}

/* How far the growth is known, from the samples where there are enough of them. */
static bool add_interval(const struct gate_source *source, struct gate_figure *figure, struct sluice_error *error)
{
	struct series series = {0};
	struct estimate_shift shift;
	if (!figure->measured || !gate_has_file(source->run->path, RUN_SAMPLES))
		return true;
	bool good = read_series(source, MEMORY_GAUGE, &series, error);
	if (good && estimate_shift(series.values, series.count, GROWTH_ALPHA, &shift) && shift.first > 0) {
		figure->has_interval = true;
		figure->change.low = shift.low / shift.first;
		figure->change.high = shift.high / shift.first;
	}
	free(series.values);
	return good;
}

bool gate_measure_memory_growth(const struct gate_source *source, const struct gate_criterion *criterion,
                                struct gate_figure *figure, struct sluice_error *error)
{
	struct gauge gauge = read_memory(source);
	(void)criterion;
	figure->measured = gauge.known;
	figure->value = gauge.known ? gauge.last / gauge.first - 1 : 0;
	return add_interval(source, figure, error);
}

bool gate_measure_memory(const struct gate_source *source, const struct gate_criterion *criterion,
                         struct gate_figure *figure, struct sluice_error *error)
{
	struct gauge gauge = read_memory(source);
	const json_t *host = json_object_get(source->run->about, "host");
	double total = json_number_value(json_object_get(host, "memory_bytes"));
	(void)criterion, (void)error;
	figure->measured = gauge.highest > 0 && total > 0;
	figure->value = figure->measured ? gauge.highest / total : 0;
	return true;
}

bool gate_measure_descriptor_growth(const struct gate_source *source, const struct gate_criterion *criterion,
                                    struct gate_figure *figure, struct sluice_error *error)
{
	struct gauge gauge = read_gauge(source, "descriptors_before", "descriptors");
	(void)criterion, (void)error;
	figure->measured = gauge.known;
	figure->value = gauge.last - gauge.first;
	return true;
}
