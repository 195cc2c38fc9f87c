/*
 * Overlays: the named optimizations of a pipeline file, and what the environment and the command line add to it.
 *
 * An overlay may change what settings_names() lists for it: sections, ack and any stage, by kind. Which are on: the file's `enable`, else what
 * ENABLE_OPTIMIZATIONS names; then --disable takes away and --enable adds. ENABLE_OPTIMIZATIONS=false is the kill
 * switch: it beats everything, and nothing under `optimizations` is even looked at, so it works whatever is wrong
 * there. Last come ENABLE_LATENCY_PROFILING and then --set.
 */
#ifndef RUNTIME_OVERLAY_H
#define RUNTIME_OVERLAY_H

#include <stdbool.h>

#include <sluice/error.h>

#include "runtime/config.h"
#include "runtime/unresolved.h"

/* Calls `each` for every overlay of the file, in order, whatever else is wrong with the file; `about` is "" if it says
 * nothing. false and a sentence if the file cannot be read as YAML. */
bool overlay_list(const char *file, void (*each)(void *context, const char *name, const char *about), void *context,
                  struct sluice_error *error);

/* Applies them to the config. *enabled_out: the names of the overlays that are on, in the file's order, NULL-terminated,
 * in the config's arena. */
bool overlay_apply(struct unresolved_config *config, const struct config_request *request,
                   const char *const **enabled_out, struct sluice_error *error);

/* What each of the enabled overlays treats, "pool_wait, queue_growth", "" if it does not say; NULL-terminated, in the
 * config's arena. */
const char *const *overlay_treats(const struct unresolved_config *config, const char *const *enabled);

#endif
