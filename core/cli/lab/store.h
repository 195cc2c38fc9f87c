/*
 * The store of a pipeline, opened to be read, as the laboratory takes it.
 */
#ifndef CLI_LAB_STORE_H
#define CLI_LAB_STORE_H

#include <stdbool.h>

#include <sluice/stage.h>

#include "lab/judge/audit.h"
#include "runtime/config.h"

struct store {
	struct config *config;
	struct sluice_stage *stage; /* persist */
	struct audit_source source;
	struct sluice_stage *sameness; /* what the parse stage counts as the same; NULL: what is the same in all */
};

/* False and a sentence if the pipeline is wrong, has no store or cannot reach it. Closed in either case. */
bool store_open(struct store *store_out, const struct config_request *request, struct sluice_error *error);
void store_close(struct store *store);

#endif
