/*
 * A stage's table of operations as the host holds it: brought to the host's own size, and found to be one it can run.
 */
#ifndef RUNTIME_TABLE_H
#define RUNTIME_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/error.h>
#include <sluice/stage.h>

/* Copies the table at `symbol`, which has `size` bytes, by the rule of versions and sizes: the same major, a minor up
 * to the host's, sizes up to the host's; what an older stage lacks is zero. The option table is copied to the heap
 * likewise, ends with SLUICE_OPTION_END and is never NULL. A refusal names both versions and the way out. */
bool table_copy(struct sluice_stage_ops *ops_out, const void *symbol, size_t size, struct sluice_error *error);
void table_finish(struct sluice_stage_ops *ops);

/* Whether the table keeps the rules of <sluice/stage.h> and <sluice/option.h>: what its kind needs is there and nothing
 * else, every option lies inside the config struct and takes its own default. */
bool table_check(const struct sluice_stage_ops *ops, struct sluice_error *error);

#endif
