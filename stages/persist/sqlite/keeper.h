/*
 * The keeper: a thread beside the writer. It brings the write-ahead log over into the database, off the commit path (an
 * automatic checkpoint would make one commit in a thousand wait 3–10 ms). Four times a second, unless events have done
 * so, it looks whether the files and the tables are as they should be, and after trouble whether a commit works again;
 * files that are doubted it recovers. So health is right and heals without traffic.
 */
#ifndef PERSIST_SQLITE_KEEPER_H
#define PERSIST_SQLITE_KEEPER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/stage.h>

#include "database.h"
#include "writer.h"

struct keeper {
	struct writer *writer;
	const struct config *config;
	sqlite3 *db; /* a connection of its own; NULL: it could not be opened again */
	int64_t page_size;
	uint64_t transactions; /* of the writer, at the last look */
	int64_t check_at_ns;   /* all of the log, not before */
	int64_t recover_at_ns; /* not before */
	bool doubt_told;       /* at the last look */
	/* Of a recovery that is not through. */
	bool drop_log;     /* the log that has the name now is not of the database */
	bool lost_content; /* the database is another one, or was truncated */
	pthread_t thread;
	pthread_mutex_t lock; /* over what follows; taken inside the writer's lock, never around it */
	pthread_cond_t wake;
	int64_t wal_bytes;        /* after the last commit */
	int64_t checkpoint_bytes; /* the WAL size that calls for the next checkpoint */
	bool stopping;
};

/* Opens a connection, makes sure of the log (recovery_settle()) and starts the thread. The writer is used from it and must
 * outlive it. */
bool keeper_create(struct keeper *keeper, struct writer *writer, struct sluice_error *error);

/* Stops the thread, brings all of the WAL over and empties it. */
void keeper_destroy(struct keeper *keeper);

/* For a recovery: opens the connection, and closes it as it is, without a checkpoint. */
bool keeper_open(struct keeper *keeper, struct sluice_error *error);
void keeper_close(struct keeper *keeper);

#endif
