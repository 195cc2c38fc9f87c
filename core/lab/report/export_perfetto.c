/*
 * The trace event format: "Trace Event Format" by Google, complete events (ph "X") and metadata (ph "M").
 *
 * A track holds one request at a time. Each goes to the track that has been free for longest, so the tracks are as many
 * as the requests that were under way at once.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json_writer.h"
#include "lab/report/export.h"
#include "lab/report/export_formats.h"
#include "lab/run/parts.h"

/* A heap of the tracks by when they become free. */
struct track {
	int64_t free_ns;
	int id;
};

struct tracks {
	struct track *heap;
	size_t count, room;
};

static bool is_before(const struct track *left, const struct track *right)
{
	return left->free_ns != right->free_ns ? left->free_ns < right->free_ns : left->id < right->id;
}

static void swap(struct track *left, struct track *right)
{
	struct track kept = *left;
	*left = *right;
	*right = kept;
}

static void sink(struct tracks *tracks)
{
	for (size_t at = 0;;) {
		size_t first = at;
		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < tracks->count; child++)
			if (is_before(&tracks->heap[child], &tracks->heap[first]))
				first = child;
		if (first == at)
			return;
		swap(&tracks->heap[at], &tracks->heap[first]);
		at = first;
	}
}

static void rise(struct tracks *tracks)
{
	for (size_t at = tracks->count - 1; at > 0; at = (at - 1) / 2) {
		size_t parent = (at - 1) / 2;
		if (!is_before(&tracks->heap[at], &tracks->heap[parent]))
			return;
		swap(&tracks->heap[at], &tracks->heap[parent]);
	}
}

/* The track of a request from `from_ns` to `to_ns`; they come in the order of their starts. */
static int take_track(struct tracks *tracks, int64_t from_ns, int64_t to_ns)
{
	if (tracks->count > 0 && tracks->heap[0].free_ns <= from_ns) {
		int id = tracks->heap[0].id;
		tracks->heap[0].free_ns = to_ns;
		sink(tracks);
		return id;
	}
	if (tracks->count == tracks->room) {
		tracks->room = tracks->room ? 2 * tracks->room : 64;
		tracks->heap = must_realloc(tracks->heap, tracks->room * sizeof(*tracks->heap));
	}
	int id = (int)tracks->count + 1;
	tracks->heap[tracks->count++] = (struct track){to_ns, id};
	rise(tracks);
	return id;
}

static double us(int64_t ns)
{
	return (double)ns / 1000.0;
}

static void begin_event(struct json_writer *json, const char *name, const char *phase, int process, int track)
{
	jsonw_object(json, NULL);
	jsonw_text(json, "name", name);
	jsonw_text(json, "ph", phase);
	jsonw_int(json, "pid", process);
	jsonw_int(json, "tid", track);
}

static void begin_slice(struct json_writer *json, const char *name, int process, int track, int64_t start_ns,
                        int64_t took_ns)
{
	begin_event(json, name, "X", process, track);
	jsonw_real(json, "ts", us(start_ns), 3);
	jsonw_real(json, "dur", us(took_ns), 3);
}

static void write_name(struct json_writer *json, const char *what, int process, int track, const char *name)
{
	begin_event(json, what, "M", process, track);
	jsonw_object(json, "args");
	jsonw_text(json, "name", name);
	jsonw_end_object(json);
	jsonw_end_object(json);
}

static void write_request(struct json_writer *json, const struct trace_record *record, const struct parts *parts,
                          int process, int track)
{
	char key[24];
	struct part_step steps[PARTS];
	size_t count = parts_steps(parts, steps);
	(void)snprintf(key, sizeof(key), "%016llx", (unsigned long long)record->request);
	begin_slice(json, "request", process, track, record->intended_ns, parts->total_ns);
	jsonw_object(json, "args");
	jsonw_text(json, "request_key", key);
	jsonw_int(json, "status", record->status);
	jsonw_int(json, "batch_size", record->batch_size);
	jsonw_int(json, "attempts", record->attempts);
	jsonw_end_object(json);
	jsonw_end_object(json);
	for (size_t i = 0; i < count; i++) {
		begin_slice(json, part_words[steps[i].part].title, process, track,
		            record->intended_ns + steps[i].start_ns, steps[i].took_ns);
		jsonw_end_object(json);
	}
}

static int by_start(const void *a, const void *b)
{
	const struct trace_record *left = *(const struct trace_record *const *)a;
	const struct trace_record *right = *(const struct trace_record *const *)b;
	return (left->intended_ns > right->intended_ns) - (left->intended_ns < right->intended_ns);
}

/* A server's trace is in the order of the answers. */
static const struct trace_record **sort_by_start(const struct sample_arm *arm)
{
	const struct trace_record **sorted = must_calloc(arm->count + 1, sizeof(*sorted));
	for (size_t i = 0; i < arm->count; i++)
		sorted[i] = &arm->records[i];
	qsort(sorted, arm->count, sizeof(*sorted), by_start);
	return sorted;
}

static void name_tracks(struct json_writer *json, const struct sample_arm *arm, int process, size_t tracks)
{
	struct buffer title = {0};
	if (arm->arm < 0)
		buffer_printf(&title, "requests%s%s", arm->label[0] ? ": " : "", arm->label);
	else
		buffer_printf(&title, "%c: %s", 'A' + arm->arm, arm->label);
	write_name(json, "process_name", process, 0, title.data);
	for (size_t i = 1; i <= tracks; i++) {
		buffer_empty(&title);
		buffer_printf(&title, "at once: %zu", i);
		write_name(json, "thread_name", process, (int)i, title.data);
	}
	buffer_finish(&title);
}

static size_t write_arm(struct export *export, struct json_writer *json, const struct sample_arm *arm)
{
	const struct trace_record **sorted = sort_by_start(arm);
	int process = (arm->arm < 0 ? 0 : arm->arm) + 1;
	struct tracks tracks = {0};
	size_t shown = 0;
	for (size_t i = 0; i < arm->count && shown < EXPORT_PERFETTO_MAX; i++) {
		struct parts parts;
		if (parts_of(sorted[i], &parts) != PARTS_KNOWN)
			continue;
		int track = take_track(&tracks, sorted[i]->intended_ns, sorted[i]->answered_ns);
		write_request(json, sorted[i], &parts, process, track);
		export_flush(export, false);
		shown++;
	}
	name_tracks(json, arm, process, tracks.count);
	free(tracks.heap);
	free(sorted);
	return shown;
}

bool export_perfetto(struct export *export, struct sluice_error *error)
{
	struct json_writer json = {.out = &export->out};
	size_t shown = 0, requests = 0;
	if (!export->samples->timed)
		return sluice_error_set(
			error,
			"%s: a log does not say when each request came, which perfetto shows; use a trace (sluice run --trace FILE)",
			export->samples->path);
	jsonw_object(&json, NULL);
	jsonw_text(&json, "displayTimeUnit", "ms");
	jsonw_array(&json, "traceEvents");
	for (size_t i = 0; i < export->arm_count; i++) {
		shown += write_arm(export, &json, export->arms[i]);
		requests += export->arms[i]->count;
	}
	jsonw_end_array(&json);
	jsonw_object(&json, "otherData");
	jsonw_int(&json, "requests", (int64_t)requests);
	jsonw_int(&json, "shown", (int64_t)shown);
	jsonw_end_object(&json);
	jsonw_end_object(&json);
	buffer_add_text(&export->out, "\n");
	return true;
}
