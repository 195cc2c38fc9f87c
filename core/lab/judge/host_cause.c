/*
 * Whose a stall is; see host_cause.h. In doubt it is the server's.
 */
#include "lab/judge/host_cause.h"

#include <math.h>
#include <stdlib.h>

#include "base/arena.h"

#define WINDOW_MS 1000.0  /* before a stall */
#define BEFORE_MS 35000.0 /* until the kernel has written what was dirty: 30 s, and 5 s between two looks */

#define QUEUED_SHARE 0.5
#define MEMORY_SHARE 0.1
#define PROCESSOR_SHARE 0.5

#define OTHERS_LEAST 524288.0 /* bytes a second */
#define OTHERS_SHARE 0.25     /* of the server's */

#define DISK_LEAST 1048576.0 /* bytes a second */
#define DISK_TIMES 4         /* what was written: journals and metadata do not explain more */
#define DISK_TIMES_BEFORE 2

#define USUAL_TIMES 1.5
#define USUAL_SHARE 0.5 /* of the load that is without stalls */
#define USUAL_BUSY 0.5
enum { USUAL_LEAST = 5 /* seconds */ };

static void add(struct host_second *sum, const struct host_second *second)
{
	sum->to_ms = second->to_ms;
	sum->server_ms += second->server_ms;
	sum->laboratory_ms += second->laboratory_ms;
	sum->others_ms += second->others_ms;
	sum->stolen_ms += second->stolen_ms;
	sum->server_bytes += second->server_bytes;
	sum->laboratory_bytes += second->laboratory_bytes;
	sum->others_bytes += second->others_bytes;
	sum->disk_bytes += second->disk_bytes;
	sum->disk_read_bytes += second->disk_read_bytes;
	sum->flushes += second->flushes;
	sum->busy_ms += second->busy_ms;
	sum->memory_ms += second->memory_ms;
}

/* What all seconds come to that a time touches. */
static struct host_second sum_up(const struct host *host, double from_ms, double to_ms)
{
	size_t i = host_first_second(host, from_ms);
	double begin_ms = i < host->second_count ? host->seconds[i].from_ms : from_ms;
	struct host_second sum = {.from_ms = begin_ms, .to_ms = begin_ms};
	for (; i < host->second_count && host->seconds[i].from_ms < to_ms; i++)
		add(&sum, &host->seconds[i]);
	return sum;
}

static double length_s(const struct host_second *second)
{
	return (second->to_ms - second->from_ms) / 1e3;
}

static int by_size(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;
	return (left > right) - (left < right);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_size);
	return values[count / 2];
}

struct host_usual host_usual(const struct host *host, double idle_to_ms)
{
	struct host_usual usual = {0};
	double *figures = must_calloc(3 * host->second_count + 1, sizeof(*figures));
	double *bytes = figures, *flushes = bytes + host->second_count, *busy = flushes + host->second_count;
	size_t loaded = 0, quiet = 0;
	for (size_t i = 0; i < host->second_count; i++) {
		const struct host_second *second = &host->seconds[i];
		if (second->from_ms < idle_to_ms || length_s(second) <= 0)
			continue;
		loaded++;
		if (second->has_stall)
			continue;
		bytes[quiet] = (second->disk_bytes + second->disk_read_bytes) / length_s(second);
		flushes[quiet] = second->flushes / length_s(second);
		busy[quiet++] = second->busy_ms / 1e3 / length_s(second);
	}
	if (quiet >= USUAL_LEAST && (double)quiet >= USUAL_SHARE * (double)loaded)
		usual = (struct host_usual){median(busy, quiet) < USUAL_BUSY, median(bytes, quiet),
		                            median(flushes, quiet)};
	usual.is_known = usual.is_known && usual.flushes > 0; /* the kernel counts them */
	free(figures);
	return usual;
}

static enum host_cause who_was_late(const struct host_stall *stall, const struct host_second *window)
{
	double used = window->server_ms + window->laboratory_ms + window->others_ms + window->stolen_ms;
	bool has_memory = window->memory_ms < MEMORY_SHARE * (window->to_ms - window->from_ms);
	if (stall->queued_ms < QUEUED_SHARE * (stall->to_ms - stall->from_ms))
		return has_memory ? HOST_ITSELF : HOST_SERVER;
	return used > 0 && window->others_ms + window->stolen_ms >= PROCESSOR_SHARE * used ? HOST_OTHERS : HOST_SERVER;
}

/* What they have written before, and the disks not yet. */
static double left_to_write(const struct host *host, double at_ms)
{
	struct host_second before = sum_up(host, at_ms - BEFORE_MS, at_ms);
	return fmax(0, before.server_bytes + before.laboratory_bytes - before.disk_bytes);
}

/* What the laboratory and the server wrote explains what the disks did, as far as it can. */
static bool is_explained(const struct host *host, const struct host_second *window)
{
	return window->disk_bytes < DISK_LEAST * length_s(window) ||
	       window->disk_bytes < DISK_TIMES * (window->server_bytes + window->laboratory_bytes) ||
	       window->disk_bytes < DISK_TIMES_BEFORE * left_to_write(host, window->from_ms);
}

static bool is_usual(const struct host_usual *usual, const struct host_second *window)
{
	double seconds = length_s(window);
	return usual->is_known &&
	       window->disk_bytes + window->disk_read_bytes <= USUAL_TIMES * usual->disk_bytes * seconds &&
	       window->flushes <= USUAL_TIMES * usual->flushes * seconds;
}

static enum host_cause who_slowed_the_disk(const struct host *host, const struct host_usual *usual,
                                           const struct host_second *window)
{
	if (window->others_bytes >= OTHERS_LEAST * length_s(window) &&
	    window->others_bytes >= OTHERS_SHARE * window->server_bytes)
		return HOST_OTHERS;
	if (!is_explained(host, window))
		return HOST_OTHERS;
	return is_usual(usual, window) ? HOST_ITSELF : HOST_SERVER;
}

void host_find_cause(const struct host *host, const struct host_usual *usual, struct host_stall *stall)
{
	struct host_second window = sum_up(host, stall->from_ms - WINDOW_MS, stall->to_ms);
	stall->others_bytes = window.others_bytes;
	stall->server_bytes = window.server_bytes;
	stall->others_ms = window.others_ms + window.stolen_ms;
	stall->server_ms = window.server_ms;
	stall->cause = stall->kind == HOST_LATE ? who_was_late(stall, &window)
	                                        : who_slowed_the_disk(host, usual, &window);
}
