/*
 * The parse stage's word on what is the same; see sameness.h.
 */
#include "runtime/sameness.h"

#include "runtime/event.h"
#include "runtime/host.h"
#include "runtime/pipeline.h"

enum { ARENA_SIZE = 4096 };

static const struct sluice_sameness *find(const struct sluice_stage_ops *ops, const void *config)
{
	const struct sluice_sameness *sameness = sluice_extension_find(ops->extensions, SLUICE_SAMENESS);
	return sameness && sameness->is_partial(config) ? sameness : NULL;
}

const struct sluice_sameness *stage_sameness_of(const struct sluice_stage *parse)
{
	return find(parse->ops, parse->config);
}

struct sluice_stage *stage_sameness_open(const struct config *config, struct sluice_error *error)
{
	const struct stage_config *parse = &config->stages[SLUICE_KIND_PARSE];
	if (!parse->present || !find(&parse->plugin->ops, parse->options))
		return NULL;
	return pipeline_open_stage(config, SLUICE_KIND_PARSE, error);
}

void stage_sameness_close(struct sluice_stage *stage)
{
	if (stage)
		pipeline_close_store(stage);
}

bool stage_sameness_holds(struct sluice_stage *stage, const struct sluice_record *stored,
                          const struct sluice_record *sent)
{
	struct event event = {.pub = {.host = &host_table,
	                              .parts = 1,
	                              .message_id = sent->message_id,
	                              .event_type = sent->event_type,
	                              .stream = sent->stream,
	                              .sequence = sent->sequence,
	                              .has_sequence = sent->has_sequence,
	                              .body = sent->payload,
	                              .payload = sent->payload}};
	arena_init(&event.arena, ARENA_SIZE, NULL);
	bool holds = stage_sameness_of(stage)->is_same(stage, &event.pub, stored);
	arena_finish(&event.arena);
	return holds;
}
