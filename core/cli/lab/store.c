/*
 * The doors of the persist stage, for audit and verify; see store.h.
 */
#include "cli/lab/store.h"

#include "runtime/pipeline.h"
#include "runtime/sameness.h"

static bool scan(void *store, int64_t after_id, sluice_record_fn each, void *context, struct sluice_error *error)
{
	struct sluice_stage *stage = store;
	if (!stage->ops->of.persist->scan)
		return sluice_error_set(error, "persist/%s cannot list its events", stage->ops->name);
	return stage->ops->of.persist->scan(stage, after_id, each, context, error);
}

static bool audit_scan(void *store, sluice_audit_fn each, void *context, struct sluice_error *error)
{
	struct sluice_stage *stage = store;
	return stage->ops->of.persist->audit_scan(stage, each, context, error);
}

static bool letter_scan(void *store, int64_t after_id, sluice_letter_fn each, void *context, struct sluice_error *error)
{
	struct sluice_stage *stage = store;
	return abi_dead_letters(stage->ops)->scan(stage, after_id, each, context, error);
}

bool store_open(struct store *store_out, const struct config_request *request, struct sluice_error *error)
{
	struct config *config = config_load(request, error);
	struct sluice_stage *stage = config ? pipeline_open_store(config, error) : NULL;
	bool has_trail = stage && stage->ops->of.persist->audit_scan;
	bool has_letters = stage && abi_dead_letters(stage->ops);
	*store_out = (struct store){config,
	                            stage,
	                            {.scan = scan,
	                             .audit_scan = has_trail ? audit_scan : NULL,
	                             .letter_scan = has_letters ? letter_scan : NULL,
	                             .store = stage},
	                            NULL};
	struct sluice_error cause = {0};
	store_out->sameness = stage ? stage_sameness_open(config, &cause) : NULL;
	return stage && (!cause.text[0] || sluice_error_set(error, "%s", cause.text));
}

void store_close(struct store *store)
{
	stage_sameness_close(store->sameness);
	if (store->stage)
		pipeline_close_store(store->stage);
	config_free(store->config);
}
