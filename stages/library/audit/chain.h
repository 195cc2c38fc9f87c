/*
 * The audit chain of one writer: what every store that keeps the trail does the same way.
 *
 * A chain is one sequence of committed transactions. chain_next() makes the row that belongs into the transaction,
 * chain_advance() moves on once it is committed; after a rollback there is nothing to undo. When it cannot be known
 * whether a commit came through, the chain must be given up and a new one begun. One thread at a time.
 */
#ifndef AUDIT_CHAIN_H
#define AUDIT_CHAIN_H

#include <sluice/stage.h>

enum {
	CHAIN_WRITER_SIZE = 33, /* 16 random bytes in hex and a NUL */
	CHAIN_COVER_SIZE = 40,  /* an id and a digest in sluice_audit_row.covers */
	CHAIN_PREFIX_SIZE = 88, /* see chain_prefix() */
	CHAIN_PRUNED_HEAD = 56, /* before the ids in the row of a pruning; see sluice_audit_row */
};

struct chain {
	char writer[CHAIN_WRITER_SIZE];
	int64_t position; /* of the last committed row; 0: none yet */
	uint8_t head[SLUICE_DIGEST_SIZE];
	int64_t logged_position;
	int64_t logged_at_ns;
};

/* Begins a chain under a name that is unique for all time. */
void chain_init(struct chain *chain, const struct sluice_host *host);

/* Writes the CHAIN_COVER_SIZE bytes that say: this event is part of the transaction. */
void chain_cover(uint8_t *cover, int64_t id, const uint8_t digest[SLUICE_DIGEST_SIZE]);

int64_t chain_covered_id(const uint8_t *cover);

/* The row for a transaction that covers `count` events. It borrows from the chain and from `covers`. */
void chain_next(const struct chain *chain, const struct sluice_host *host, const uint8_t *covers, size_t count,
                struct sluice_audit_row *row_out);

/* The row for a transaction that has removed `count` events received before `before_ns`, listed in `covers` with ascending ids. Its own
 * covers are written to `room`, which has CHAIN_PRUNED_SIZE(count) bytes. */
#define CHAIN_PRUNED_SIZE(count) (CHAIN_PRUNED_HEAD + (size_t)10 * (count))
void chain_prune(const struct chain *chain, const struct sluice_host *host, const uint8_t *covers, size_t count,
                 int64_t before_ns, uint8_t *room, struct sluice_audit_row *row_out);

/* The same, where the store itself adds covers and hash: the row without them. */
void chain_begin(const struct chain *chain, const struct sluice_host *host, struct sluice_audit_row *row_out);

/* What host->audit_hash() hashes of a row before its covers, which come with their size as 8 bytes big-endian: for a store
 * that hashes by itself. */
void chain_prefix(const struct sluice_audit_row *row, uint8_t prefix[CHAIN_PREFIX_SIZE]);

/* The row is committed. Logs the head now and then, so that a cut tail can be told from the log. */
void chain_advance(struct chain *chain, struct sluice_stage *stage, const struct sluice_audit_row *row);

/* Logs the head as `audit_head`, unless it has been logged already or there is none. */
void chain_log_head(struct chain *chain, struct sluice_stage *stage);

#endif
