/*
 * The plugin idempotency/filter, and what can be wrong with it. Each stage of this folder whose name begins with filter_ is it
 * with one of the flaws of plain_filter.h; without a flaw it keeps every promise.
 *
 * In place of PostgreSQL it asks the file of ../persist/plain_store.c. What it needs of the library and of the builder stands
 * here: the file is read for each question, and into the filter at the first event of each epoch.
 */
#include <pthread.h>

#include <sluice/stage.h>

#include "claims/claims.h"
#include "plain_filter.h"

#include "../../../plugins/idempotency/filter/bloom.h"
#include "../frames.h"

#define LOOKUP_H
#define IDEMPOTENCY_FILTER_BUILDER_H

struct config {
	const char *path;
};
#define LOOKUP_OPTIONS                                                                                                 \
	SLUICE_OPTION_STRING(struct config, path, .name = "path", .fallback = "store", .help = "the file of the store")
#define LOOKUP_SPANS "look_up"
#define pool_observe(pool, name, observer) ((void)0)
#define config_check NULL

struct lookup {
	struct sluice_stage *stage;
};

struct builder {
	struct lookup *lookup;
	struct bloom *bloom;
	pthread_mutex_t lock;
	uint64_t whole_in; /* as in the plugin */
};

static bool lookup_open(struct lookup *lookup, struct sluice_stage *stage, struct sluice_error *error)
{
	(void)error;
	lookup->stage = stage;
	return true;
}

static void lookup_close(struct lookup *lookup)
{
	(void)lookup;
}

/* Calls for each record of the file, as long as that returns true; the record points into memory that is gone afterwards.
 * False: the file cannot be read. */
static bool read_store(struct lookup *lookup, bool (*each)(void *context, const struct sluice_record *record),
                       void *context)
{
	const struct config *config = lookup->stage->config;
	struct text text = {0};
	struct sluice_record record;
	struct frame frame;
	bool is_read = text_read_file(&text, config->path), more = is_read;
	for (size_t at = 0; more && frame_at(&text, at, &frame); at += (size_t)frame.size)
		more = !frame_read_event(text.data + at, &record) || each(context, &record);
	free(text.data);
	return is_read;
}

struct question {
	struct sluice_event *event;
	enum sluice_verdict verdict;
};

static bool compare(void *context, const struct sluice_record *record)
{
	struct question *question = context;
	if (!sluice_bytes_equal(record->message_id, question->event->message_id))
		return true;
	question->verdict = claims_judge(question->event, record->digest);
	return false;
}

static enum sluice_verdict lookup_event(struct lookup *lookup, struct sluice_event *event)
{
	struct question question = {event, flaw == SAYS_DUPLICATE ? SLUICE_DONE : SLUICE_PASS};
	if (flaw != SAYS_DUPLICATE && !read_store(lookup, compare, &question))
		return sluice_retry(event, 0, "the store could not be read");
	return question.verdict;
}

static bool builder_start(struct builder *builder, struct lookup *lookup, struct bloom *bloom,
                          struct sluice_error *error)
{
	(void)error;
	*builder = (struct builder){.lookup = lookup, .bloom = bloom};
	(void)pthread_mutex_init(&builder->lock, NULL);
	return true;
}

static void builder_stop(struct builder *builder)
{
	(void)pthread_mutex_destroy(&builder->lock);
}

static bool add_one(void *context, const struct sluice_record *record)
{
	struct builder *builder = context;
	const struct sluice_host *host = builder->lookup->stage->host;
	bloom_add(builder->bloom, host->hash(record->message_id.data, record->message_id.size));
	return flaw != READS_THE_FIRST;
}

static bool builder_is_whole(struct builder *builder)
{
	uint64_t epoch = flaw == IGNORES_EPOCHS ? 0 : sluice_store_epoch(builder->lookup->stage);
	(void)pthread_mutex_lock(&builder->lock);
	bool is_whole = builder->whole_in == epoch + 1 || flaw == IS_WHOLE_AT_ONCE ||
	                read_store(builder->lookup, add_one, builder);
	if (is_whole)
		builder->whole_in = epoch + 1;
	(void)pthread_mutex_unlock(&builder->lock);
	return is_whole;
}

static void add_with_flaw(struct bloom *bloom, uint64_t hash)
{
	if (flaw != ADDS_WHEN_SETTLED)
		bloom_add(bloom, hash);
}

#pragma push_macro("SLUICE_STAGE")
#undef SLUICE_STAGE
#define SLUICE_STAGE(kind_, table, ...) static const struct sluice_stage_ops filter_stage = {__VA_ARGS__}
#define bloom_add(bloom, hash) add_with_flaw(bloom, hash)
#include "../../../plugins/idempotency/filter/filter.c"
#undef bloom_add
#pragma pop_macro("SLUICE_STAGE")
#include "../../../plugins/idempotency/filter/bloom.c"
#include "claims/claims.c"

static void settle_with_flaw(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	struct state *state = stage->state;
	if (flaw == ADDS_WHEN_SETTLED && (verdict == SLUICE_PASS || verdict == SLUICE_DONE))
		bloom_add(&state->bloom, stage->host->hash(event->message_id.data, event->message_id.size));
	filter_stage.settle(stage, event, verdict);
}

SLUICE_STAGE(idempotency, ops, .name = "plain_filter", .version = "1.0.0",
             .summary = "asks for message ids that a filter may have", .options = options,
             .config_size = sizeof(struct filter_config), .spans = spans, .create = create, .settle = settle_with_flaw,
             .observe = observe, .destroy = destroy);
