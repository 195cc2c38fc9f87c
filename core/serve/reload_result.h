/*
 * What came of a change that was published, as JSON for who asked.
 */
#ifndef SERVE_RELOAD_RESULT_H
#define SERVE_RELOAD_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "serve/reload.h"

struct config;
struct pipeline;

/* When each step of a change was over. */
struct reload_steps {
	int64_t begun_ns, loaded_ns, created_ns, published_ns;
};

struct reload_outcome {
	const struct service *service;
	const struct config *started; /* as the listeners are */
	const struct pipeline *now, *before;
	struct reload_steps steps;
	bool is_durable; /* there is a folder for what a new process must know */
};

/* Fills the body; `unsaved` is known by then. */
void reload_result_write(struct reload_result *result, const struct reload_outcome *outcome);

#endif
