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
#define PROCESSOR_SHARE 0.5 /* of what was used: it is theirs */
#define BUSY 0.5            /* of the time, of the processors: there is much to do */

#define OTHERS_LEAST 524288.0 /* bytes a second */
#define OTHERS_SHARE 0.25     /* of the server's */

#define DISK_LEAST 1048576.0 /* bytes a second */
#define DISK_TIMES 4         /* what was written: journals and metadata do not explain more */
#define DISK_TIMES_BEFORE 2

#define USUAL_TIMES 1.5
#define USUAL_SHARE 0.5 /* of the load that is without stalls */
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

/* Without what the hypervisor took. */
static double used_ms(const struct host_second *second)
{
	return second->server_ms + second->laboratory_ms + second->others_ms;
}

struct host_usual host_usual(const struct host *host, double idle_to_ms)
{
	struct host_usual usual = {0};
	size_t loaded = 0, quiet = 0, room = host->second_count + 1;
	double *bytes = must_calloc(room, sizeof(*bytes)), *flushes = must_calloc(room, sizeof(*flushes));
	double *busy = must_calloc(room, sizeof(*busy)), *used = must_calloc(room, sizeof(*used));
	for (size_t i = 0; i < host->second_count; i++) {
		const struct host_second *second = &host->seconds[i];
		if (second->from_ms < idle_to_ms || length_s(second) <= 0)
			continue;
		loaded++;
		if (second->has_stall)
			continue;
		bytes[quiet] = (second->disk_bytes + second->disk_read_bytes) / length_s(second);
		flushes[quiet] = second->flushes / length_s(second);
		used[quiet] = used_ms(second) / length_s(second);
		busy[quiet++] = second->busy_ms / 1e3 / length_s(second);
	}
	if (quiet >= USUAL_LEAST && (double)quiet >= USUAL_SHARE * (double)loaded)
		usual = (struct host_usual){median(busy, quiet) < BUSY, median(bytes, quiet), median(flushes, quiet),
		                            median(used, quiet)};
	usual.is_known = usual.is_known && usual.flushes > 0; /* the kernel counts them */
	free(bytes);
	free(flushes);
	free(busy);
	free(used);
	return usual;
}

static bool is_usual(const struct host_usual *usual, const struct host_second *window)
{
	double seconds = length_s(window);
	return usual->is_known &&
	       window->disk_bytes + window->disk_read_bytes <= USUAL_TIMES * usual->disk_bytes * seconds &&
	       window->flushes <= USUAL_TIMES * usual->flushes * seconds &&
	       used_ms(window) <= USUAL_TIMES * usual->processor_ms * seconds;
}

/* The processors, or the disks, have much to do, and most of it is the server's. */
static bool loads_processors(const struct host *host, const struct host_second *window)
{
	return used_ms(window) >= BUSY * host->processors * (window->to_ms - window->from_ms) &&
	       window->server_ms >= PROCESSOR_SHARE * used_ms(window);
}

static bool loads_disks(const struct host_second *window)
{
	return window->busy_ms >= BUSY * (window->to_ms - window->from_ms) &&
	       window->server_bytes > window->others_bytes;
}

static bool others_use_most(const struct host_second *window)
{
	bool disks = window->busy_ms >= BUSY * (window->to_ms - window->from_ms) &&
	             window->others_bytes >= window->server_bytes;
	return disks || (window->others_ms > 0 && window->others_ms >= PROCESSOR_SHARE * used_ms(window));
}

/* The whole machine stood still, or had fewer processors. A hypervisor also does that to one that is busy, with its disks too. */
static enum host_cause who_held_the_machine(const struct host_usual *usual, const struct host_second *window)
{
	if (window->memory_ms >= MEMORY_SHARE * (window->to_ms - window->from_ms) || loads_disks(window))
		return HOST_SERVER;
	if (others_use_most(window))
		return HOST_OTHERS;
	return is_usual(usual, window) ? HOST_ITSELF : HOST_SERVER;
}

static enum host_cause who_was_late(const struct host_usual *usual, const struct host_stall *stall,
                                    const struct host_second *window)
{
	bool was_queued = stall->queued_ms >= QUEUED_SHARE * (stall->to_ms - stall->from_ms);
	if (!was_queued || window->stolen_ms > used_ms(window))
		return who_held_the_machine(usual, window);
	return window->others_ms > 0 && window->others_ms >= PROCESSOR_SHARE * used_ms(window) ? HOST_OTHERS
	                                                                                       : HOST_SERVER;
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

static enum host_cause who_slowed_the_disk(const struct host *host, const struct host_usual *usual,
                                           const struct host_second *window)
{
	if (loads_disks(window))
		return HOST_SERVER;
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
	if (loads_processors(host, &window))
		stall->cause = HOST_SERVER;
	else if (stall->kind == HOST_LATE)
		stall->cause = who_was_late(usual, stall, &window);
	else
		stall->cause = who_slowed_the_disk(host, usual, &window);
}
