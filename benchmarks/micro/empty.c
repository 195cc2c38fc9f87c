/*
 * A stage that does nothing, of the kind it is compiled for (EMPTY_KIND: auth, say): what is left is the boundary.
 */
#include <sluice/stage.h>

#ifdef EMPTY_STORE
static void store_batch(struct sluice_stage *stage, struct sluice_batch *batch)
{
	(void)stage;
	for (size_t i = 0; i < batch->count; i++)
		batch->verdicts[i] = SLUICE_PASS;
}

static bool scan(struct sluice_stage *stage, int64_t after_id, sluice_record_fn each, void *context,
                 struct sluice_error *error)
{
	(void)stage, (void)after_id, (void)each, (void)context, (void)error;
	return true;
}

static const struct sluice_persist_ops ops = {.store = store_batch, .scan = scan};
#else
static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	(void)event;
	return SLUICE_PASS;
}

#define OPS_OF_(kind) struct sluice_##kind##_ops
#define OPS_OF(kind) OPS_OF_(kind)
static const OPS_OF(EMPTY_KIND) ops = {.process = process};
#endif

#define EMPTY_STAGE(kind, ...) SLUICE_STAGE(kind, __VA_ARGS__)
EMPTY_STAGE(EMPTY_KIND, ops, .name = "empty", .version = SLUICE_VERSION, .summary = "does nothing");
