/*
 * bench-boundary: what a stage boundary costs, with its stamp and its histogram, in one thread and without HTTP.
 *
 * Runs events through a pipeline of four empty stages and through one of a single empty stage; the difference, divided
 * by the three boundaries between them, is a boundary. Rounds alternate and the fastest of each counts: what is added
 * by other programs on the machine only ever makes a round slower. A bare read of the clock in the same run is the
 * limit.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "runtime/pipeline.h"

enum { ROUNDS = 150, EVENTS = 20000 }; /* a round fits into a time slice of the scheduler */

static enum sluice_verdict pass(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	(void)event;
	return SLUICE_PASS;
}

static void pass_all(struct sluice_stage *stage, struct sluice_batch *batch)
{
	(void)stage;
	for (size_t i = 0; i < batch->count; i++)
		batch->verdicts[i] = SLUICE_PASS;
}

static struct plugin plugins[KIND_COUNT];

static struct pipeline *create(struct config *config, unsigned first_kind)
{
	*config = (struct config){.events = {.max = 16, .max_bytes = 1 << 20, .arena = 4096, .pool_count = 512}};
	static const struct sluice_auth_ops auth = {.process = pass};
	static const struct sluice_parse_ops parse = {.process = pass};
	static const struct sluice_idempotency_ops idempotency = {.process = pass};
	static const struct sluice_persist_ops persist = {.store = pass_all};
	static const void *const tables[KIND_COUNT] = {[SLUICE_KIND_AUTH] = &auth,
	                                               [SLUICE_KIND_PARSE] = &parse,
	                                               [SLUICE_KIND_IDEMPOTENCY] = &idempotency,
	                                               [SLUICE_KIND_PERSIST] = &persist};
	for (unsigned kind = first_kind; kind < KIND_COUNT; kind++) {
		if (kind == SLUICE_KIND_QUEUE)
			continue;
		plugins[kind].ops = (struct sluice_stage_ops){
			.kind = (enum sluice_kind)kind, .of.any = tables[kind], .name = "empty"};
		config->stages[kind] = (struct stage_config){.present = true, .plugin = &plugins[kind]};
	}
	struct sluice_error error = {0};
	struct pipeline *pipeline = pipeline_create(config, &error);
	if (!pipeline) {
		(void)fprintf(stderr, "bench-boundary: %s\n", error.text);
		exit(2);
	}
	return pipeline;
}

static double round_ns(struct pipeline *pipeline)
{
	int64_t start = clock_now_ns();
	for (size_t i = 0; i < EVENTS; i++) {
		struct event *event = pipeline_receive(pipeline);
		if (pipeline_admit(event))
			pipeline_submit(event);
	}
	return (double)(clock_now_ns() - start) / EVENTS;
}

static double clock_ns(void)
{
	int64_t start = clock_now_ns();
	for (size_t i = 0; i < EVENTS; i++)
		(void)clock_now_ns();
	return (double)(clock_now_ns() - start) / EVENTS;
}

int main(void)
{
	struct config config_one, config_four;
	struct pipeline *one = create(&config_one, SLUICE_KIND_PERSIST), *four = create(&config_four, SLUICE_KIND_AUTH);
	double best_one = 1e9, best_four = 1e9, best_clock = 1e9;
	for (int i = 0; i < ROUNDS; i++) {
		double a = round_ns(one), b = round_ns(four), c = clock_ns();
		best_one = a < best_one ? a : best_one;
		best_four = b < best_four ? b : best_four;
		best_clock = c < best_clock ? c : best_clock;
	}
	pipeline_destroy(one);
	pipeline_destroy(four);
	(void)printf("boundary_ns=%.1f clock_ns=%.1f event_ns=%.1f\n", (best_four - best_one) / 3, best_clock,
	             best_one);
	return 0;
}
