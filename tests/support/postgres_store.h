/*
 * persist/postgres on the bench, or persist/postgres_batch, on a private server of the test program's own. Both
 * stages are the same code but for their statements: a file whose tests hand over several events at once, and so are for
 * both, ends with POSTGRES_SUITE(): its suite for the second has a name that ends in _batch.
 */
#ifndef TESTS_POSTGRES_STORE_H
#define TESTS_POSTGRES_STORE_H

#include <check.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/harness.h"
#include "support/postgres.h"
#include "support/store.h"
#include "support/unit.h"
#include "support/wait.h"

enum { OPTION_SIZE = 400 };

extern const char *stage_name; /* in the test's process */
extern struct postgres server;
extern char url_option[OPTION_SIZE]; /* "url=…" of that server */

/* A group of tests with a server to themselves, whose database is empty at the start of each. */
TCase *add_group(Suite *suite, const char *name);

/* For a group that prepares its server in another way. */
void start_server(void);
void stop_server(void);

/* By hand: as an operator would, with psql. */
PGconn *connect_by_hand(void);
PGconn *connect_to(const char *url);
void run_on(PGconn *pg, const char *sql);
void run_by_hand(const char *sql);
int ask_by_hand(const char *sql);
int ask_at(const char *url, const char *sql);
bool shows(const char *url, const char *sql, int answer); /* yet: a standby replays later, tables too */
void empty_database(void); /* and its settings as they were, but for those in postgresql.conf */

/* With the url_option and up to two others, NULL: none. */
struct harness *open_store(void);
struct harness *open_with(const char *option, const char *other);
struct harness *open_at(const char *const *options);

/* "url=…" of the server, by another port. */
void option_through(char option[OPTION_SIZE], int port);

/* The sentence of the refusal must contain the words. */
void expect_refused(const char *option, const char *words);

enum sluice_verdict store_one(struct harness *h, const char *id, const char *stream, const char *payload);

/* Tries until it is through, as a worker would; fails the running test after a minute. Settles the event. */
enum sluice_verdict store_until_through(struct harness *h, struct sluice_event *event);

/* An event on a thread of its own. */
struct waiter {
	pthread_t thread;
	struct harness *h;
	struct sluice_event *event;
	enum sluice_verdict verdict;
};
void waiter_start(struct waiter *waiter, struct sluice_event *event, struct harness *h);
enum sluice_verdict waiter_finish(struct waiter *waiter); /* settles the event */

/* A thread that stores one event after the other, each until it is through. */
struct hammer {
	pthread_t thread;
	struct harness *h;
	bool own_ids; /* false: all threads send the same ids */
	int number, count;
	atomic_bool *stop; /* NULL: goes on to the end */
	size_t passed, failed;
	char (*ids)[24]; /* of what passed; NULL: not kept */
};
void hammer_start(struct hammer *hammer);
void hammer_join(struct hammer *hammer);

#define POSTGRES_SUITE(suite_name, make_suite)                                                                         \
	static Suite *make_suite##_batch(void)                                                                         \
	{                                                                                                              \
		stage_name = "postgres_batch";                                                                         \
		return make_suite();                                                                                   \
	}                                                                                                              \
	UNIT_SUITE(suite_name, make_suite)                                                                             \
	UNIT_SUITE(suite_name##_batch, make_suite##_batch)

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

#endif
