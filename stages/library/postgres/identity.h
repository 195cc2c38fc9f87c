/*
 * Which store the server has for us, announced to the pipeline (sluice_announce_store()): what other stages remember of
 * it is believed only as long as it is the same store with all that it had acknowledged.
 *
 * The identity is the cluster, its timeline, the database and the tables. A restored backup can agree in all of these. So
 * the last commits that were acknowledged are remembered, too: log comes before log, so a store that has all of them has
 * everything acknowledged before, and one that lacks any of them is an older one.
 *
 * The functions may be called from any thread.
 */
#ifndef POSTGRES_IDENTITY_H
#define POSTGRES_IDENTITY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/stage.h>

#include "audit/chain.h"

enum { IDENTITY_SIZE = 400 };

struct identity_head {
	char writer[CHAIN_WRITER_SIZE];
	int64_t position;
};

struct identity {
	struct sluice_stage *stage; /* announces nothing unless it is a persist stage that writes */
	pthread_mutex_t lock;
	struct identity_head *heads; /* a ring: the last acknowledged commits, as many as there can be at once */
	size_t room, count, next;
	uint64_t doubts; /* how often there was one */
	unsigned losses; /* how often acknowledged commits were missing */
};

/* The commits asked for, and what was known when. */
struct identity_question {
	char *heads; /* "writer:position,…" */
	size_t count;
	uint64_t doubts;
};

/* `room`: how many commits can be under way at once. */
bool identity_init(struct identity *identity, struct sluice_stage *stage, size_t room);
void identity_finish(struct identity *identity);

/* The chain's last commit has been acknowledged. */
void identity_note_commit(struct identity *identity, const struct chain *chain);

/* A connection broke, a table is gone, a row that should exist does not. */
void identity_doubt(struct identity *identity);

/* What is to be asked of the server; finished by identity_hear(). False: out of memory. */
bool identity_ask(struct identity *identity, struct identity_question *question_out);

/* The server's answer, how many of the commits it has; `text` NULL: there was none. Announces it, unless there was a new
 * doubt meanwhile. */
void identity_hear(struct identity *identity, struct identity_question *question, const char *text, int64_t found);

#endif
