/*
 * The writer: the one connection that changes the database, behind a lock. A batch is one transaction with one audit
 * row.
 */
#ifndef PERSIST_SQLITE_WRITER_H
#define PERSIST_SQLITE_WRITER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/stage.h>

#include "audit/chain.h"
#include "database.h"
#include "disk.h"
#include "trouble.h"

enum { SPAN_EXECUTE, SPAN_COMMIT };

enum writer_statement {
	WRITER_BEGIN,
	WRITER_COMMIT,
	WRITER_ROLLBACK,
	WRITER_SAVEPOINT,
	WRITER_ROLLBACK_TO,
	WRITER_RELEASE,
	WRITER_INSERT,
	WRITER_LOOKUP,
	WRITER_CONTENT,
	WRITER_AUDIT,
	WRITER_BURY,
	WRITER_FIND_BURIED,
	WRITER_STANDS,
	WRITER_TRIGGERS,
	WRITER_DROP_LETTER,
	WRITER_LOOK_AT_OLD,
	WRITER_PRUNE,
	WRITER_DATA_VERSION,
	WRITER_STATEMENTS,
};

struct writer {
	/* Set before writer_create(). */
	struct sluice_stage *stage;
	const struct config *config;
	struct disk *disk;
	struct trouble *trouble;
	sqlite3 *db; /* NULL: it could not be opened again */
	sqlite3_stmt *statements[WRITER_STATEMENTS];
	struct chain chain;
	uint8_t *covers; /* of the transaction at hand */
	size_t cover_count, cover_room;
	char refusal[TROUBLE_SIZE]; /* what the database said of the row it refused last */
	const char *dropped;        /* by this transaction, although the database reported no error; NULL: nothing */
	int64_t data_version;       /* changes when another connection has committed; 0: not asked yet */
	bool has_triggers;          /* not ours, on our tables: what they do to a row is looked at before it counts */
	int64_t last_id;            /* of the event that was stored last; 0: none yet */
	int64_t failed_ns;          /* when a transaction with events failed last */
	pthread_mutex_t lock;       /* over all of the above */
	pthread_cond_t resumed;
	atomic_int pauses;             /* asked for and not yet ended */
	_Atomic uint64_t transactions; /* with events, so far */
};

/* Opens the database, makes or migrates its tables. */
bool writer_create(struct writer *writer, struct sluice_error *error);

/* Logs the head of the audit chain and closes the connection. */
void writer_destroy(struct writer *writer);

/* While paused: closes the connection as it is, without a checkpoint, and opens it on a file that must exist. The audit
 * chain begins again: whether its last row was committed may be unknown. */
void writer_close(struct writer *writer);
bool writer_reopen(struct writer *writer, struct sluice_error *error);

/* Stores the batch: PASS and DONE are committed. From any thread; callers take turns. */
void writer_store(struct writer *writer, struct sluice_batch *batch);

bool writer_dead_letter(struct writer *writer, struct sluice_event *event, const char *reason,
                        struct sluice_error *error);

/* Forgets the dead letter with that id, if there is one; true once that is durable. */
bool writer_drop_letter(struct writer *writer, int64_t id, struct sluice_error *error);

/* A step through the events by id; see sluice_store_retention. */
bool writer_prune(struct writer *writer, struct sluice_pruning *pruning, struct sluice_error *error);

/* Holds all commits, as soon as the one at hand is through, until writer_resume(). From any thread; callers take
 * turns. */
void writer_pause(struct writer *writer);
void writer_resume(struct writer *writer);

/* Begins a transaction as an event would: looks at the files, at what others have done to the database, and, while there
 * is trouble, whether a commit works again. */
void writer_probe(struct writer *writer);

#endif
