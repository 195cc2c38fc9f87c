/*
 * A stage's tables as the host holds them: brought to the host's own sizes, and found to be ones it can run.
 */
#ifndef RUNTIME_ABI_H
#define RUNTIME_ABI_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/error.h>
#include <sluice/stage.h>

/* The table of a stage's kind, whichever it is. */
union kind_table {
	struct sluice_auth_ops auth;
	struct sluice_parse_ops parse;
	struct sluice_idempotency_ops idempotency;
	struct sluice_queue_ops queue;
	struct sluice_persist_ops persist;
};

/* Copies the table at `symbol`, which has `size` bytes, by the rule of versions and sizes: the same major, a minor up
 * to the host's, sizes up to the host's; what an older stage lacks is zero. The option table is copied to the heap
 * likewise, ends with SLUICE_OPTION_END and is never NULL; the kind's table goes to *kind_out, and ops_out->of points
 * there. A refusal names both versions and the way out. */
bool abi_copy(struct sluice_stage_ops *ops_out, union kind_table *kind_out, const void *symbol, size_t size,
              struct sluice_error *error);
void abi_finish(struct sluice_stage_ops *ops);

/* Whether the table keeps the rules of <sluice/stage.h> and <sluice/option.h>: what its kind requires is set, every
 * option lies inside the config struct and takes its own default. */
bool abi_check(const struct sluice_stage_ops *ops, struct sluice_error *error);

/* What handles one event in a stage of kind auth, parse or idempotency; NULL for the others. */
typedef enum sluice_verdict (*process_fn)(struct sluice_stage *stage, struct sluice_event *event);
process_fn abi_process(const struct sluice_stage_ops *ops);

/* A queue's functions for its backlog, or NULL. */
const struct sluice_queue_backlog *abi_backlog(const struct sluice_stage_ops *ops);

/* The store's functions for its dead letters, or NULL. */
const struct sluice_dead_letters *abi_dead_letters(const struct sluice_stage_ops *ops);

/* The store's function for removing old events, or NULL. */
const struct sluice_store_retention *abi_retention(const struct sluice_stage_ops *ops);

/* What a store declares that keeps nothing readable, or NULL. */
const struct sluice_write_only *abi_write_only(const struct sluice_stage_ops *ops);

/* The store's maintenance functions, or NULL. */
const struct sluice_store_maintenance *abi_maintenance(const struct sluice_stage_ops *ops);

#endif
