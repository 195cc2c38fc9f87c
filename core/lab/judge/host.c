/*
 * The record of the host; see host.h. Read line by line, since it may be somebody else's file.
 */
#include "lab/judge/host.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "lab/judge/host_cause.h"
#include "lab/run/estimate.h"
#include "lab/run/figure.h"

enum { LINE_MAX_BYTES = 1024 * 1024, ROOM_FIRST = 64 };
#define LATE_LIMIT_MS 10.0
#define SYNC_LIMIT_MS 25.0
#define SYNC_TIMES 4.0            /* the median while the servers idle */
#define CALM_BYTES 524288.0       /* others write less while the disk is taken for undisturbed */
#define TIME_MAX_MS 94608000000.0 /* three years, as in requests.bin */

const char *const host_cause_names[] = {[HOST_SERVER] = "server", [HOST_OTHERS] = "others", [HOST_ITSELF] = "host"};

/* One probe: an event of the record. */
struct probe {
	double from_ms, took_ms, queued_ms;
};

struct probes {
	struct probe *list;
	size_t count, room;
};

struct reading {
	struct host *host;
	struct probes late, syncs;
	size_t second_room, stall_room;
	double idle_from_ms, idle_to_ms;
};

/* Makes room for one more. */
static void *grow(void *list, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return list;
	*room = *room > 0 ? 2 * *room : ROOM_FIRST;
	return must_realloc(list, *room * size);
}

static bool take_number(const json_t *object, const char *name, double *out)
{
	const json_t *value = json_object_get(object, name);
	double number = json_number_value(value);
	*out = number;
	return json_is_number(value) && isfinite(number) && number >= 0 && number <= 1e18;
}

/* [[from, took, queued]…]; where the last is missing it was not measured. */
static bool take_probes(const json_t *list, struct probes *probes)
{
	size_t i;
	json_t *entry;
	if (!json_is_array(list))
		return false;
	json_array_foreach (list, i, entry) {
		struct probe probe = {json_number_value(json_array_get(entry, 0)),
		                      json_number_value(json_array_get(entry, 1)),
		                      json_number_value(json_array_get(entry, 2))};
		if (!json_is_number(json_array_get(entry, 0)) || !json_is_number(json_array_get(entry, 1)) ||
		    !(fabs(probe.from_ms) <= TIME_MAX_MS && probe.took_ms >= 0 && probe.took_ms <= TIME_MAX_MS))
			return false;
		probes->list = grow(probes->list, probes->count, &probes->room, sizeof(probe));
		probes->list[probes->count++] = probe;
	}
	return true;
}

static bool take_figures(const json_t *line, struct host_second *second)
{
	const json_t *processor = json_object_get(line, "processor_ms");
	const json_t *written = json_object_get(line, "written_bytes");
	const json_t *disks = json_object_get(line, "disks"), *pressure = json_object_get(line, "pressure_ms");
	return take_number(processor, "server", &second->server_ms) &&
	       take_number(processor, "laboratory", &second->laboratory_ms) &&
	       take_number(processor, "others", &second->others_ms) &&
	       take_number(processor, "stolen", &second->stolen_ms) &&
	       take_number(written, "server", &second->server_bytes) &&
	       take_number(written, "laboratory", &second->laboratory_bytes) &&
	       take_number(written, "others", &second->others_bytes) &&
	       take_number(written, "disks", &second->disk_bytes) &&
	       take_number(disks, "read_bytes", &second->disk_read_bytes) &&
	       take_number(disks, "flushes", &second->flushes) && take_number(disks, "busy_ms", &second->busy_ms) &&
	       take_number(pressure, "memory", &second->memory_ms);
}

static double worst_of(const struct probes *probes, size_t from)
{
	double worst = 0;
	for (size_t i = from; i < probes->count; i++)
		worst = fmax(worst, probes->list[i].took_ms);
	return worst;
}

/* False where the line is not one of a record, or not behind the one before. */
static bool take_line(struct reading *reading, const json_t *line)
{
	struct host *host = reading->host;
	size_t late = reading->late.count, syncs = reading->syncs.count;
	double at_ms, took_ms, last_ms = host->second_count > 0 ? host->seconds[host->second_count - 1].to_ms : 0;
	struct host_second second = {0};
	if (!take_number(line, "at_ms", &at_ms) || !take_number(line, "took_ms", &took_ms) ||
	    !take_number(line, "late_max_ms", &second.late_ms) || !take_figures(line, &second) ||
	    !take_probes(json_object_get(line, "late"), &reading->late) ||
	    !take_probes(json_object_get(line, "syncs"), &reading->syncs) || at_ms > TIME_MAX_MS || took_ms > at_ms ||
	    at_ms < last_ms)
		return false;
	second.from_ms = fmax(at_ms - took_ms, last_ms);
	second.to_ms = at_ms;
	second.late_ms = fmax(second.late_ms, worst_of(&reading->late, late));
	second.sync_ms = worst_of(&reading->syncs, syncs);
	host->seconds = grow(host->seconds, host->second_count, &reading->second_room, sizeof(second));
	host->seconds[host->second_count++] = second;
	return true;
}

static bool read_lines(struct reading *reading, FILE *file, const char *path, struct sluice_error *error)
{
	char *line = must_alloc(LINE_MAX_BYTES);
	bool good = true;
	for (size_t number = 1; good && fgets(line, LINE_MAX_BYTES, file); number++) {
		json_t *document = json_loads(line, 0, NULL);
		good = number == 1 ? take_number(document, "processors", &reading->host->processors)
		                   : take_line(reading, document);
		if (!good)
			(void)sluice_error_set(error, "%s:%zu: not a second of a host's record", path, number);
		json_decref(document);
	}
	free(line);
	return good;
}

size_t host_first_second(const struct host *host, double at_ms)
{
	size_t low = 0, high = host->second_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (host->seconds[middle].to_ms > at_ms)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static int by_size(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;
	return (left > right) - (left < right);
}

static bool is_calm(const struct host *host, double at_ms)
{
	size_t i = host_first_second(host, at_ms);
	return i < host->second_count &&
	       host->seconds[i].others_bytes * 1e3 < CALM_BYTES * (host->seconds[i].to_ms - host->seconds[i].from_ms);
}

/* Of the probes while the servers idled and nobody disturbed them. */
static double find_sync_limit(const struct reading *reading)
{
	double *times = must_calloc(reading->syncs.count + 1, sizeof(*times));
	size_t count = 0;
	for (size_t i = 0; i < reading->syncs.count; i++) {
		const struct probe *sync = &reading->syncs.list[i];
		if (sync->from_ms >= reading->idle_from_ms && sync->from_ms < reading->idle_to_ms &&
		    is_calm(reading->host, sync->from_ms))
			times[count++] = sync->took_ms;
	}
	qsort(times, count, sizeof(*times), by_size);
	double limit = count > 0 ? fmax(SYNC_LIMIT_MS, SYNC_TIMES * times[count / 2]) : SYNC_LIMIT_MS;
	free(times);
	return limit;
}

static void add_stalls(struct reading *reading, enum host_kind kind, const struct probes *probes, double limit_ms)
{
	struct host *host = reading->host;
	for (size_t i = 0; i < probes->count; i++) {
		const struct probe *probe = &probes->list[i];
		double to_ms = probe->from_ms + probe->took_ms;
		if (probe->took_ms < limit_ms)
			continue;
		host->stalls = grow(host->stalls, host->stall_count, &reading->stall_room, sizeof(*host->stalls));
		host->stalls[host->stall_count++] = (struct host_stall){
			kind, HOST_SERVER, probe->from_ms, to_ms, probe->queued_ms, 0, 0, 0, 0};
		for (size_t k = host_first_second(host, probe->from_ms);
		     k < host->second_count && host->seconds[k].from_ms < to_ms; k++)
			host->seconds[k].has_stall = true;
	}
}

static int by_beginning(const void *a, const void *b)
{
	const struct host_stall *left = a, *right = b;
	if (left->from_ms != right->from_ms)
		return left->from_ms < right->from_ms ? -1 : 1;
	return (left->to_ms > right->to_ms) - (left->to_ms < right->to_ms);
}

/* A stall and as long again. */
static struct host_span span_of(const struct host_stall *stall)
{
	return (struct host_span){(int64_t)(stall->from_ms * 1e6),
	                          (int64_t)((2 * stall->to_ms - stall->from_ms) * 1e6)};
}

/* Adds a span behind those there are, or to the last of them where they touch. */
static size_t add_span(struct host_span *spans, size_t count, struct host_span span)
{
	if (count == 0 || span.from_ns > spans[count - 1].to_ns) {
		spans[count] = span;
		return count + 1;
	}
	if (span.to_ns > spans[count - 1].to_ns)
		spans[count - 1].to_ns = span.to_ns;
	return count;
}

static void merge_spans(struct host *host)
{
	struct host_span *spans = must_calloc(host->stall_count + 1, sizeof(*spans));
	for (size_t i = 0; i < host->stall_count; i++)
		if (host->stalls[i].cause != HOST_SERVER)
			host->span_count = add_span(spans, host->span_count, span_of(&host->stalls[i]));
	host->spans = spans;
}

static void mark_seconds(struct host *host, const struct host_stall *stall)
{
	enum host_mark mark = stall->cause == HOST_SERVER ? HOST_OWN : HOST_DISTURBED;
	for (size_t i = host_first_second(host, stall->from_ms);
	     i < host->second_count && host->seconds[i].from_ms < stall->to_ms; i++)
		if (host->seconds[i].marks[stall->kind] < mark)
			host->seconds[i].marks[stall->kind] = mark;
}

static void judge(struct reading *reading)
{
	struct host *host = reading->host;
	host->sync_limit_ms = find_sync_limit(reading);
	add_stalls(reading, HOST_LATE, &reading->late, LATE_LIMIT_MS);
	add_stalls(reading, HOST_SLOW_DISK, &reading->syncs, host->sync_limit_ms);
	if (host->stall_count > 0)
		qsort(host->stalls, host->stall_count, sizeof(*host->stalls), by_beginning);
	struct host_usual usual = host_usual(host, reading->idle_to_ms);
	for (size_t i = 0; i < host->stall_count; i++) {
		host_find_cause(host, &usual, &host->stalls[i]);
		mark_seconds(host, &host->stalls[i]);
	}
	merge_spans(host);
}

struct host_span host_idle(const json_t *about)
{
	const json_t *idle = json_object_get(about, "host_idle");
	double from_ms = json_number_value(json_object_get(idle, "from_ms"));
	double to_ms = json_number_value(json_object_get(idle, "to_ms"));
	if (!(from_ms >= 0 && from_ms <= to_ms && to_ms <= TIME_MAX_MS))
		return (struct host_span){0, 0};
	return (struct host_span){(int64_t)(from_ms * 1e6), (int64_t)(to_ms * 1e6)};
}

json_t *host_idle_to_json(struct host_span idle)
{
	return json_pack("{s:f, s:f}", "from_ms", (double)idle.from_ns / 1e6, "to_ms", (double)idle.to_ns / 1e6);
}

bool host_read(const char *directory, struct host_span idle, struct host *host_out, struct sluice_error *error)
{
	struct reading reading = {
		.host = host_out, .idle_from_ms = (double)idle.from_ns / 1e6, .idle_to_ms = (double)idle.to_ns / 1e6};
	*host_out = (struct host){0};
	char *path = run_file(directory, RUN_HOST);
	bool good = true;
	if (access(path, F_OK) == 0) {
		FILE *file = file_open(path, error);
		good = file && read_lines(&reading, file, path, error);
		host_out->is_known = good;
		if (file)
			(void)fclose(file);
	}
	if (good)
		judge(&reading);
	free(reading.late.list);
	free(reading.syncs.list);
	free(path);
	return good;
}

void host_finish(struct host *host)
{
	free(host->seconds);
	free(host->stalls);
	free(host->spans);
	*host = (struct host){0};
}

/* The first span that ends after a moment. */
static size_t first_span(const struct host *host, int64_t at_ns)
{
	size_t low = 0, high = host->span_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (host->spans[middle].to_ns > at_ns)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

bool host_is_stalled(const struct host *host, int64_t from_ns, int64_t to_ns)
{
	size_t i = first_span(host, from_ns);
	return i < host->span_count && host->spans[i].from_ns < to_ns;
}

double host_stalled_share(const struct host *host, int64_t from_ns, int64_t to_ns)
{
	double stalled = 0;
	for (size_t i = first_span(host, from_ns); i < host->span_count && host->spans[i].from_ns < to_ns; i++) {
		const struct host_span *span = &host->spans[i];
		int64_t begin = span->from_ns > from_ns ? span->from_ns : from_ns;
		int64_t end = span->to_ns < to_ns ? span->to_ns : to_ns;
		stalled += (double)(end - begin);
	}
	return to_ns > from_ns ? stalled / (double)(to_ns - from_ns) : 0;
}

bool host_holds(const struct host *host, const struct trace_record *record)
{
	return host_is_stalled(host, record->intended_ns, record->answered_ns < 0 ? INT64_MAX : record->answered_ns);
}

static int64_t latency_ns(const struct trace_record *record)
{
	int64_t latency = run_corrected_ns(record);
	return latency < 0 ? INT64_MAX : latency;
}

static int64_t find_p95(const struct trace_record *records, size_t count, uint8_t arm)
{
	int64_t *latencies = must_calloc(count + 1, sizeof(*latencies));
	size_t taken = 0;
	for (size_t i = 0; i < count; i++)
		if (records[i].arm == arm)
			latencies[taken++] = latency_ns(&records[i]);
	estimate_sort(latencies, taken);
	int64_t p95 = estimate_quantile(latencies, taken, 0.95);
	free(latencies);
	return p95;
}

struct host_share host_share(const struct host *host, const struct trace_record *records, size_t count, uint8_t arm)
{
	struct host_share share = {0};
	int64_t p95_ns = find_p95(records, count, arm);
	for (size_t i = 0; i < count; i++) {
		if (records[i].arm != arm)
			continue;
		bool is_slow = latency_ns(&records[i]) >= p95_ns, is_held = host_holds(host, &records[i]);
		share.requests++;
		share.held += is_held;
		share.slowest += is_slow;
		share.slowest_held += is_slow && is_held;
	}
	return share;
}

size_t host_count(const struct host *host)
{
	size_t count = 0;
	for (size_t i = 0; i < host->stall_count; i++)
		count += host->stalls[i].cause != HOST_SERVER;
	return count;
}

const struct host_stall *host_longest(const struct host *host)
{
	const struct host_stall *longest = NULL;
	for (size_t i = 0; i < host->stall_count; i++) {
		const struct host_stall *stall = &host->stalls[i];
		if (stall->cause != HOST_SERVER &&
		    (!longest || stall->to_ms - stall->from_ms > longest->to_ms - longest->from_ms))
			longest = stall;
	}
	return longest;
}

void host_describe(const struct host_stall *stall, char *text, size_t size)
{
	char why[160] = "for no reason that its counters show";
	const char *what = stall->kind == HOST_LATE ? "a process was woken late by" : "the disk took";
	if (stall->cause == HOST_OTHERS && stall->kind == HOST_LATE)
		(void)snprintf(why, sizeof(why), "when others used %s of processor time and the server %s",
		               figure_of(stall->others_ms, "ms").text, figure_of(stall->server_ms, "ms").text);
	else if (stall->cause == HOST_OTHERS)
		(void)snprintf(why, sizeof(why), "when others wrote %s and the server %s",
		               figure_of(stall->others_bytes, "B").text, figure_of(stall->server_bytes, "B").text);
	(void)snprintf(text, size, "%s %s at %.1f s, %s", what, figure_of(stall->to_ms - stall->from_ms, "ms").text,
	               stall->from_ms / 1e3, why);
}

/* [at_s, late_ms, sync_ms, share that was stolen, mark of late, mark of the disk] */
static json_t *second_to_json(const struct host *host, const struct host_second *second)
{
	double capacity = host->processors * (second->to_ms - second->from_ms);
	return json_pack("[f, f, f, f, i, i]", second->to_ms / 1e3, second->late_ms, second->sync_ms,
	                 capacity > 0 ? second->stolen_ms / capacity : 0.0, second->marks[HOST_LATE],
	                 second->marks[HOST_SLOW_DISK]);
}

json_t *host_to_json(const struct host *host)
{
	json_t *seconds = json_array();
	for (size_t i = 0; i < host->second_count; i++)
		(void)json_array_append_new(seconds, second_to_json(host, &host->seconds[i]));
	return json_pack("{s:f, s:I, s:I, s:o}", "sync_limit_ms", host->sync_limit_ms, "stalls",
	                 (json_int_t)host_count(host), "stalls_of_server",
	                 (json_int_t)(host->stall_count - host_count(host)), "seconds", seconds);
}
