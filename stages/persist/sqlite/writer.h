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

#include "../chain.h"
#include "database.h"

enum { SPAN_EXECUTE, SPAN_COMMIT };

enum { TROUBLE_SIZE = 256 };

enum writer_statement {
	WRITER_BEGIN,
	WRITER_COMMIT,
	WRITER_ROLLBACK,
	WRITER_SAVEPOINT,
	WRITER_ROLLBACK_TO,
	WRITER_RELEASE,
	WRITER_INSERT,
	WRITER_LOOKUP,
	WRITER_AUDIT,
	WRITER_BURY,
	WRITER_STATEMENTS,
};

struct writer {
	struct sluice_stage *stage;
	sqlite3 *db;
	sqlite3_stmt *statements[WRITER_STATEMENTS];
	struct chain chain;
	uint8_t *covers; /* of the transaction at hand */
	size_t cover_count, cover_room;
	char refusal[TROUBLE_SIZE]; /* what the database said of the row it refused last */
	pthread_mutex_t lock;       /* over all of the above */
	pthread_cond_t resumed;
	atomic_int pauses; /* asked for and not yet ended */

	pthread_mutex_t trouble_lock;
	char trouble[TROUBLE_SIZE]; /* why the last commit failed; "" after one that did not */
};

bool writer_create(struct writer *writer, struct sluice_stage *stage, struct sluice_error *error);

/* Logs the head of the audit chain and closes the connection. */
void writer_destroy(struct writer *writer);

/* Stores the batch: PASS and DONE are committed. From any thread; callers take turns. */
void writer_store(struct writer *writer, struct sluice_batch *batch);

bool writer_dead_letter(struct writer *writer, struct sluice_event *event, const char *reason,
                        struct sluice_error *error);

/* Holds all commits, as soon as the one at hand is through, until writer_resume(). From any thread; callers take
 * turns. */
void writer_pause(struct writer *writer);
void writer_resume(struct writer *writer);

/* Whether the last commit failed, and why. From any thread. */
bool writer_in_trouble(struct writer *writer, char trouble_out[TROUBLE_SIZE]);

/* Commits a transaction without content to see whether the trouble is over. */
void writer_probe(struct writer *writer);

#endif
