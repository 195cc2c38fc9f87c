/*
 * Lineages; see lineage.h.
 */
#include "lab/report/lineage.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/prng.h"
#include "lab/run/parts.h"

/* Milliseconds, or microseconds where they would say nothing. */
static void append_duration(struct buffer *out, int64_t ns)
{
	if (ns >= NS_PER_MS || ns == 0)
		buffer_printf(out, "%" PRId64 "ms", ns / NS_PER_MS);
	else
		buffer_printf(out, "%" PRId64 "µs", ns / NS_PER_US);
}

static void append_step(const struct run *run, struct buffer *out, const char *mark, const char *name, int64_t at_ns,
                        int64_t took_ns, const char *plus)
{
	char time[CLOCK_TEXT_SIZE];
	clock_format_time(run->header.wall_ns + at_ns, time);
	buffer_printf(out, "  %s %s: %s (%s", mark, name, time, plus);
	append_duration(out, took_ns);
	buffer_add_text(out, ")\n");
}

void lineage_append(const struct run *run, const struct trace_record *record, struct buffer *out)
{
	struct parts parts;
	struct part_step steps[PARTS];
	const char *prefix = json_string_value(json_object_get(run->about, "request_prefix"));
	buffer_printf(out, "request_id: %s%u\n", prefix ? prefix : "", record->number);
	if (parts_of(record, &parts) != PARTS_KNOWN) {
		buffer_printf(out, "  no answer; arm %c, block %u\n", 'a' + record->arm, record->block);
		return;
	}
	size_t count = parts_steps(&parts, steps);
	append_step(run, out, count > 0 ? "├─" : "└─", "due", record->intended_ns, 0, "");
	for (size_t i = 0; i < count; i++)
		append_step(run, out, i + 1 < count ? "├─" : "└─", part_words[steps[i].part].title,
		            record->intended_ns + steps[i].start_ns + steps[i].took_ns, steps[i].took_ns, "+");
	buffer_add_text(out, "  TOTAL: ");
	append_duration(out, parts.total_ns);
	buffer_printf(out, "; status %u, arm %c, block %u, batch of %u, tries %u\n", record->status, 'a' + record->arm,
	              record->block, record->batch_size, record->tries);
}

static uint64_t seed_of(const struct run *run)
{
	uint64_t seed = run->count;
	for (size_t i = 0; i < run->count; i++)
		seed = prng_seed(seed, (uint64_t)run->records[i].answered_ns ^ run->records[i].request);
	return seed;
}

static int by_number(const void *a, const void *b)
{
	size_t left = *(const size_t *)a, right = *(const size_t *)b;
	return (left > right) - (left < right);
}

/* Floyd's way to draw without drawing one twice. */
static size_t draw(struct prng *prng, size_t population, size_t *drawn, size_t count)
{
	size_t taken = 0;
	for (size_t last = population - count; last < population; last++) {
		size_t choice = (size_t)prng_below(prng, last + 1);
		for (size_t i = 0; i < taken; i++)
			if (drawn[i] == choice)
				choice = last;
		drawn[taken++] = choice;
	}
	return taken;
}

void lineage_append_random(const struct run *run, size_t count, struct buffer *out)
{
	struct prng prng;
	size_t wanted = count < run->count ? count : run->count;
	size_t *drawn = must_calloc(wanted + 1, sizeof(*drawn));
	prng_init(&prng, seed_of(run));
	size_t taken = wanted > 0 ? draw(&prng, run->count, drawn, wanted) : 0;
	qsort(drawn, taken, sizeof(*drawn), by_number);
	for (size_t i = 0; i < taken; i++) {
		lineage_append(run, &run->records[drawn[i]], out);
		buffer_add_text(out, "\n");
	}
	free(drawn);
}
