/*
 * The ticker: a thread that calls tick() of the stages that have one, each when it asked for it.
 */
#ifndef RUNTIME_TICKER_H
#define RUNTIME_TICKER_H

#include <sluice/stage.h>

#include "runtime/loader.h"

struct ticker;

/* The stages are created and outlive the ticker, which does nothing before ticker_start(). NULL without an error: no stage
 * ticks; with one: no thread. */
struct ticker *ticker_create(struct sluice_stage *const stages[KIND_COUNT], struct sluice_error *error);
void ticker_start(struct ticker *ticker); /* NULL is allowed */

/* After this no tick() runs. NULL is allowed. */
void ticker_destroy(struct ticker *ticker);

#endif
