/*
 * The keeper: a thread beside the writer. It brings the write-ahead log over into the database, off the commit path (an
 * automatic checkpoint would make one commit in a thousand wait 3–10 ms), and while the last commit failed it tries
 * every second whether one works again, so that health heals without traffic.
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
	sqlite3 *db; /* a connection of its own */
	int64_t page_size;
	pthread_t thread;
	pthread_mutex_t lock; /* over what follows; taken inside the writer's lock, never around it */
	pthread_cond_t wake;
	int64_t wal_bytes;        /* after the last commit */
	int64_t checkpoint_bytes; /* the WAL size that calls for the next checkpoint */
	bool stopping;
};

/* Starts the thread. The writer is used from it and must outlive it. */
bool keeper_create(struct keeper *keeper, struct writer *writer, struct sluice_error *error);

/* Stops the thread, brings all of the WAL over and empties it. */
void keeper_destroy(struct keeper *keeper);

#endif
