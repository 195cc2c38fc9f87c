/*
 * The facts of a run: what its source knows of all of it, and then a figure for each criterion. Where the host stalled, the same again
 * of the requests that it left alone.
 */
#include <stdlib.h>
#include <string.h>

#include "lab/gate/criteria.h"

static bool measure(const struct run *run, const char *baseline, struct gate_facts *facts, struct sluice_error *error)
{
	struct gate_source source;
	if (!gate_source_open(run, baseline, facts, &source, error))
		return false;
	for (size_t i = 0; i < gate_criteria_count; i++) {
		if (!gate_criteria[i].measure(&source, &gate_criteria[i], &facts->figures[i], error))
			return false;
	}
	return true;
}

static void measure_host(const struct run *run, const struct host *host, struct gate_host *facts)
{
	const struct host_stall *longest = host_longest(host);
	*facts = (struct gate_host){.is_known = host->is_known,
	                            .stalls = host_count(host),
	                            .share = host_share(host, run->records, run->count, gate_last_arm(run))};
	if (longest)
		host_describe(longest, facts->longest, sizeof(facts->longest));
}

/* The run as if the requests that fall into stalls had not been sent. */
static bool measure_calm(const struct run *run, const char *baseline, const struct host *host, struct gate_facts *facts,
                         struct sluice_error *error)
{
	struct run calm = *run;
	if (facts->host.share.held == 0)
		return true;
	calm.records = must_calloc(run->count + 1, sizeof(*calm.records));
	calm.count = 0;
	for (size_t i = 0; i < run->count; i++)
		if (!host_holds(host, &run->records[i]))
			calm.records[calm.count++] = run->records[i];
	facts->calm = arena_must(&facts->arena, sizeof(*facts->calm));
	*facts->calm = (struct gate_facts){0};
	arena_init(&facts->calm->arena, 4096, NULL);
	bool good = measure(&calm, baseline, facts->calm, error);
	free(calm.records);
	return good;
}

bool gate_measure(const char *run_path, const char *baseline, struct gate_facts *facts_out, struct sluice_error *error)
{
	struct host host = {0};
	*facts_out = (struct gate_facts){0};
	arena_init(&facts_out->arena, 4096, NULL);
	struct run *run = run_open(run_path, error);
	bool good = run && measure(run, baseline, facts_out, error) &&
	            host_read(run_path, host_idle(run->about), &host, error);
	if (good)
		measure_host(run, &host, &facts_out->host);
	good = good && measure_calm(run, baseline, &host, facts_out, error);
	host_finish(&host);
	run_close(run);
	return good;
}

void gate_facts_finish(struct gate_facts *facts)
{
	if (facts->calm)
		arena_finish(&facts->calm->arena);
	arena_finish(&facts->arena);
}
