/*
 * Statistics; see stats.h.
 */
#include "serve/stats.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json_writer.h"

enum {
	SERIES_MAX = SERIES_COUNT,
	SNAPSHOTS = STATS_WINDOW_S + 1,
};

/* The histograms of one moment. Those of series in which nothing was recorded yet are NULL. */
struct snapshot {
	int64_t taken_ns;                         /* 0: none yet */
	struct histogram *histograms[SERIES_MAX]; /* by their number in the recorder */
};

struct stats {
	struct pipeline *pipeline;
	struct recorder *recorder;
	struct series series[SERIES_MAX];
	size_t series_count;

	pthread_mutex_t lock;
	struct snapshot snapshots[SNAPSHOTS];
	size_t newest;
	size_t workers;
	double (*utilization)[STATS_WINDOW_S]; /* by worker, then by second */
	size_t utilization_count, utilization_next;
};

static void add_series(struct stats *stats, struct series series)
{
	stats->series[stats->series_count++] = series;
}

static void list_stage(struct stats *stats, enum sluice_kind kind, const struct stage_config *stage)
{
	static const char *const parts[] = {
		[PART_WHOLE] = "whole", [PART_WORK] = "work", [PART_WAIT] = "wait", [PART_PARKED] = "parked"};
	for (unsigned part = 0; part < PART_SPAN; part++)
		add_series(stats,
		           (struct series){series_of(kind, part), kind_names[kind], parts[part], (int)kind, false});
	const char *const *spans = stage->plugin->ops.spans;
	for (unsigned i = 0; spans && i < SLUICE_SPANS_MAX && spans[i]; i++)
		add_series(stats, (struct series){series_of(kind, PART_SPAN + i), kind_names[kind], spans[i], (int)kind,
		                                  true});
}

struct stats *stats_create(struct pipeline *pipeline)
{
	struct stats *stats = must_calloc(1, sizeof(*stats));
	(void)pthread_mutex_init(&stats->lock, NULL);
	stats->snapshots[0].taken_ns = clock_now_ns();
	stats_follow(stats, pipeline);
	return stats;
}

/* A span of another name is another figure, which the recorder counts anew. */
static void forget_unless_in(struct stats *stats, const struct series *series, const struct series *old,
                             size_t old_count)
{
	for (size_t i = 0; i < old_count; i++)
		if (old[i].id == series->id && strcmp(old[i].part, series->part) == 0)
			return;
	for (size_t i = 0; i < SNAPSHOTS; i++) {
		free(stats->snapshots[i].histograms[series->id]);
		stats->snapshots[i].histograms[series->id] = NULL;
	}
}

void stats_follow(struct stats *stats, struct pipeline *pipeline)
{
	const struct config *config = pipeline_config(pipeline);
	struct pipeline_stats now;
	pipeline_get_stats(pipeline, &now);
	(void)pthread_mutex_lock(&stats->lock);
	stats->pipeline = pipeline;
	stats->recorder = pipeline_recorder(pipeline);
	stats->workers = now.workers;
	free(stats->utilization);
	stats->utilization = must_calloc(now.workers + 1, sizeof(*stats->utilization));
	stats->utilization_count = stats->utilization_next = 0;
	struct series old[SERIES_MAX];
	const size_t old_count = stats->series_count;
	memcpy(old, stats->series, sizeof(old));
	stats->series_count = 0;
	for (unsigned kind = 0; kind < KIND_COUNT; kind++)
		if (config->stages[kind].present)
			list_stage(stats, (enum sluice_kind)kind, &config->stages[kind]);
	add_series(stats, (struct series){SERIES_RESPOND, "respond", "whole", -1, false});
	add_series(stats, (struct series){SERIES_TOTAL, "total", "whole", -1, false});
	for (size_t i = 0; i < stats->series_count; i++)
		if (stats->series[i].is_span)
			forget_unless_in(stats, &stats->series[i], old, old_count);
	(void)pthread_mutex_unlock(&stats->lock);
}

void stats_destroy(struct stats *stats)
{
	for (size_t i = 0; i < SNAPSHOTS; i++)
		for (size_t id = 0; id < SERIES_MAX; id++)
			free(stats->snapshots[i].histograms[id]);
	free(stats->utilization);
	(void)pthread_mutex_destroy(&stats->lock);
	free(stats);
}

const struct series *stats_series(const struct stats *stats, size_t *count_out)
{
	*count_out = stats->series_count;
	return stats->series;
}

void stats_get(struct stats *stats, size_t place, struct histogram *histogram_out)
{
	memset(histogram_out, 0, sizeof(*histogram_out));
	recorder_merge(stats->recorder, stats->series[place].id, histogram_out);
}

static void take_snapshot(struct stats *stats, struct snapshot *snapshot)
{
	struct histogram now;
	snapshot->taken_ns = clock_now_ns();
	for (size_t place = 0; place < stats->series_count; place++) {
		stats_get(stats, place, &now);
		if (now.count == 0)
			continue;
		struct histogram **kept = &snapshot->histograms[stats->series[place].id];
		if (!*kept)
			*kept = must_alloc(sizeof(now));
		memcpy(*kept, &now, sizeof(now));
	}
}

void stats_tick(struct stats *stats)
{
	(void)pthread_mutex_lock(&stats->lock);
	stats->newest = (stats->newest + 1) % SNAPSHOTS;
	take_snapshot(stats, &stats->snapshots[stats->newest]);
	for (size_t id = 0; id < stats->workers; id++)
		stats->utilization[id][stats->utilization_next] = pipeline_worker_utilization(stats->pipeline, id);
	stats->utilization_next = (stats->utilization_next + 1) % STATS_WINDOW_S;
	if (stats->utilization_count < STATS_WINDOW_S)
		stats->utilization_count++;
	(void)pthread_mutex_unlock(&stats->lock);
}

/* The one that the next tick overwrites, or the first there is. */
static const struct snapshot *oldest(const struct stats *stats)
{
	const struct snapshot *next = &stats->snapshots[(stats->newest + 1) % SNAPSHOTS];
	return next->taken_ns ? next : &stats->snapshots[0];
}

double stats_get_recent(struct stats *stats, size_t place, struct histogram *histogram_out)
{
	stats_get(stats, place, histogram_out);
	(void)pthread_mutex_lock(&stats->lock);
	const struct snapshot *before = oldest(stats);
	if (before->histograms[stats->series[place].id])
		histogram_subtract(histogram_out, before->histograms[stats->series[place].id]);
	double seconds = (double)(clock_now_ns() - before->taken_ns) / (double)NS_PER_S;
	(void)pthread_mutex_unlock(&stats->lock);
	return seconds;
}

double stats_worker_utilization(struct stats *stats, size_t id)
{
	double sum = 0;
	(void)pthread_mutex_lock(&stats->lock);
	size_t count = stats->utilization_count;
	for (size_t i = 0; i < count; i++)
		sum += stats->utilization[id][i];
	(void)pthread_mutex_unlock(&stats->lock);
	return count ? sum / (double)count : 0;
}

static void write_percentiles(struct json_writer *json, const char *key, const struct histogram *histogram)
{
	static const struct {
		const char *name;
		double fraction;
	} percentiles[] = {{"p50_ms", 0.5}, {"p95_ms", 0.95}, {"p99_ms", 0.99}};
	jsonw_object(json, key);
	jsonw_int(json, "count", (int64_t)histogram->count);
	for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
		jsonw_real(json, percentiles[i].name,
		           (double)histogram_quantile(histogram, percentiles[i].fraction) / (double)NS_PER_MS, 4);
	jsonw_real(json, "max_ms", (double)histogram->max_ns / (double)NS_PER_MS, 4);
	double sum_ms = (double)histogram->sum_ns / (double)NS_PER_MS;
	jsonw_real(json, "mean_ms", histogram->count ? sum_ms / (double)histogram->count : 0, 4);
	jsonw_end_object(json);
}

/* The series of one stage, from `from` on; returns where the next stage's begin. */
static size_t write_series(struct stats *stats, struct json_writer *json, const char *key, size_t from, bool recent)
{
	struct histogram histogram;
	bool in_spans = false;
	size_t place = from;
	jsonw_object(json, key);
	for (; place < stats->series_count && stats->series[place].stage == stats->series[from].stage; place++) {
		if (recent)
			(void)stats_get_recent(stats, place, &histogram);
		else
			stats_get(stats, place, &histogram);
		if (stats->series[place].is_span && !in_spans)
			jsonw_object(json, "spans");
		in_spans = stats->series[place].is_span;
		write_percentiles(json, stats->series[place].part, &histogram);
	}
	if (in_spans)
		jsonw_end_object(json);
	jsonw_end_object(json);
	return place;
}

void stats_write_stages(struct stats *stats, struct json_writer *json, const char *key)
{
	const struct config *config = pipeline_config(stats->pipeline);
	jsonw_array(json, key);
	for (size_t place = 0; place < stats->series_count;) {
		const struct series *series = &stats->series[place];
		jsonw_object(json, NULL);
		jsonw_text(json, "stage", series->stage);
		if (series->kind >= 0)
			jsonw_text(json, "use", config->stages[series->kind].plugin->ops.name);
		(void)write_series(stats, json, "last_10s", place, true);
		place = write_series(stats, json, "since_start", place, false);
		jsonw_end_object(json);
	}
	jsonw_end_array(json);
}
