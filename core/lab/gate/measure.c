/*
 * The facts of a run: what its source knows of all of it, and then a figure for each criterion.
 */
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

bool gate_measure(const char *run_path, const char *baseline, struct gate_facts *facts_out, struct sluice_error *error)
{
	*facts_out = (struct gate_facts){0};
	arena_init(&facts_out->arena, 4096, NULL);
	struct run *run = run_open(run_path, error);
	bool good = run && measure(run, baseline, facts_out, error);
	run_close(run);
	return good;
}

void gate_facts_finish(struct gate_facts *facts)
{
	arena_finish(&facts->arena);
}
