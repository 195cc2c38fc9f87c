/*
 * Trouble: why the store could not commit the last time, told to the log and to health, and what that means for whatever
 * other stages remember of the store.
 *
 * What they remember holds for the store as it is announced. Trouble puts it in doubt; after it, and whenever somebody
 * else has changed the database, the store gets a new name, so that each id is looked up once more before it counts as
 * a duplicate. From any thread.
 */
#ifndef PERSIST_SQLITE_TROUBLE_H
#define PERSIST_SQLITE_TROUBLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/stage.h>
#include <sqlite3.h>

enum { TROUBLE_SIZE = 300 };

struct trouble {
	struct sluice_stage *stage;
	pthread_mutex_t lock;
	char text[TROUBLE_SIZE]; /* a sentence; "" if the last commit went well */
};

void trouble_init(struct trouble *trouble, struct sluice_stage *stage);
void trouble_finish(struct trouble *trouble);

void trouble_begin(struct trouble *trouble, const char *cause);
void trouble_end(struct trouble *trouble);
bool trouble_get(struct trouble *trouble, char text_out[TROUBLE_SIZE]);

/* Gives the store a new name; `why` goes to the log. */
void trouble_rename_store(struct trouble *trouble, const char *why);

/* What the last error of a connection means for an operator. */
void trouble_explain(sqlite3 *db, char text_out[TROUBLE_SIZE]);

#endif
