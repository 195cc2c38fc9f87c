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

/* A standby of the primary, with the same password. It follows; whether the primary waits for it is the primary's
 * synchronous_standby_names. */
void postgres_start_standby(struct postgres *standby, const struct postgres *primary);
void postgres_promote(const struct postgres *standby);

void postgres_kill(const struct postgres *postgres); /* SIGKILL */
void postgres_halt(const struct postgres *postgres); /* in order */
void postgres_restart(const struct postgres *postgres, const char *settings);

/* Changes settings while it runs: all of them are in force for statements that begin afterwards. */
void postgres_reload(const struct postgres *postgres, const char *settings);

/* Keeps a copy of all that a halted server holds, and brings it back. */
void postgres_save(const struct postgres *postgres, const char *name);
void postgres_restore(const struct postgres *postgres, const char *name);

int postgres_port(const struct postgres *postgres);

/* Stops it and removes all of it. */
void postgres_stop(const struct postgres *postgres);

#endif
