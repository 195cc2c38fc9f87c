/*
 * The backlog of a durable queue that the pipeline no longer uses.
 *
 * What was acknowledged is delivered whatever the configuration now says. So before a pipeline starts, each queue of the
 * pipelines that served before, and each that its file can configure, by its base or by an overlay, and that is not the one in
 * use, is looked at; what waits there goes to the store first. A file or an overlay that cannot be loaded, a stage of it missing
 * say, is named in the log: it is not searched.
 */
#ifndef RUNTIME_BACKLOG_H
#define RUNTIME_BACKLOG_H

#include <stdbool.h>

#include "runtime/config.h"

/* Waits a moment; false: stop waiting. */
typedef bool (*backlog_wait_fn)(void *context);

/* Delivers what waits. `config` is what will serve; `earlier` what served before, oldest first, NULL-terminated, nobody else's,
 * freed here. False and a sentence if a backlog cannot be delivered, or `wait`
 * said to stop. */
bool backlog_deliver(const struct config_request *request, const struct config *config, struct config *const *earlier,
                     backlog_wait_fn wait, void *context, struct sluice_error *error);

#endif
