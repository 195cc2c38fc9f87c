/*
 * A private PostgreSQL for a test: tests/support/postgres.sh in a temporary directory of its own.
 */
#ifndef TESTS_POSTGRES_H
#define TESTS_POSTGRES_H

struct postgres {
	char directory[64];
	char url[256]; /* with the password */
	char password[64];
};

/* Fails the running test when the server does not come up. `settings`: "fsync=off work_mem=8MB" or "". */
void postgres_start(struct postgres *postgres, const char *settings);

void postgres_kill(const struct postgres *postgres); /* SIGKILL */
void postgres_halt(const struct postgres *postgres); /* in order */
void postgres_restart(const struct postgres *postgres, const char *settings);

/* Stops it and removes all of it. */
void postgres_stop(const struct postgres *postgres);

#endif
