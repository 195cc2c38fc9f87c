/*
 * Indexes for those who query webhook_events: a set to choose from, made beside the traffic.
 *
 * A thread of its own makes what `indexes` names and is not there, one after the other, with CREATE INDEX CONCURRENTLY, which
 * blocks no writer. An index that an earlier attempt left invalid is dropped and made again; one that another process is
 * making is waited for. What is no longer named stays until `drop_indexes` says otherwise. After a change both tables are
 * analyzed. What cannot be done is logged, with the reason, and tried again; events are stored all the while.
 */
#ifndef POSTGRES_INDEXES_H
#define POSTGRES_INDEXES_H

#include <pthread.h>
#include <stdbool.h>

#include <sluice/stage.h>

#include "connection.h"

enum { INDEXES_MAX = 8 };

struct indexes {
	struct server *server;
	struct sluice_stage *stage;
	pthread_t thread;
	bool runs;
	pthread_mutex_t lock; /* over what follows */
	pthread_cond_t changed;
	bool stopping;
	double progress[INDEXES_MAX]; /* 0–1, by number; 1: it is there */
};

/* Whether the options name what there is. */
bool indexes_check(const struct config *config, struct sluice_error *error);

/* Does nothing where nothing is named or to be dropped. */
bool indexes_start(struct indexes *indexes, struct server *server, struct sluice_error *error);

/* What is being made is cancelled; the next start makes it again. */
void indexes_stop(struct indexes *indexes);

void indexes_observe(struct indexes *indexes, struct sluice_observer *observer);

#define INDEXES_OPTIONS                                                                                                \
	SLUICE_OPTION_STRINGS(                                                                                         \
		struct config, indexes, .name = "indexes", .max = INDEXES_MAX,                                         \
		.help = "indexes for queries: event_type, request_id, event_type_message_id, received_at"),            \
		SLUICE_OPTION_BOOL(struct config, drop_indexes, .name = "drop_indexes", .fallback = "false",           \
	                           .help = "drop those of these indexes that `indexes` does not name")

#endif
