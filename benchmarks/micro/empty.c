/*
 * A stage that does nothing, of the kind it is compiled for: what is left is the boundary.
 */
#include <sluice/stage.h>

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	(void)event;
	return SLUICE_PASS;
}

SLUICE_STAGE(.kind = EMPTY_KIND, .name = "empty", .version = SLUICE_VERSION, .summary = "does nothing",
             .process = process);
