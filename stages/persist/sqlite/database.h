/*
 * A connection to the database file, and the schema in it.
 *
 * Times are INTEGER microseconds since the Unix epoch: exact, small, and `datetime(received_at / 1000000, 'unixepoch')`
 * shows them to people. What an event does not have (no parse stage ran) is NULL, never an empty text.
 */
#ifndef PERSIST_SQLITE_DATABASE_H
#define PERSIST_SQLITE_DATABASE_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/stage.h>
#include <sqlite3.h>

#include "disk.h"

enum synchronous { SYNCHRONOUS_FULL, SYNCHRONOUS_NORMAL, SYNCHRONOUS_OFF };
extern const char *const synchronous_names[]; /* "full" …; NULL-terminated */

enum durability { DURABILITY_STRICT, DURABILITY_RELAXED };

/* The options, as the table in sqlite.c fills them. */
struct config {
	const char *path;
	int durability;  /* enum durability */
	int synchronous; /* enum synchronous */
	struct sluice_duration busy_timeout;
	uint64_t checkpoint_size; /* bytes of WAL that call for a checkpoint beside the writer */
	uint64_t wal_limit;       /* bytes of WAL that make the writer wait for one */
};

/* Opens a connection that writes: WAL, the configured `synchronous`, no automatic checkpoints, its files watched by
 * `disk`. NULL and a sentence otherwise. Connections are used by one thread at a time. */
enum database_when { DATABASE_MAY_BE_NEW, DATABASE_MUST_EXIST };
sqlite3 *database_open(const struct config *config, struct disk *disk, enum database_when when,
                       struct sluice_error *error);

/* Opens a connection that only reads and creates no file. `*still_out` says that nobody had the file open, so it is
 * read as a still image: see database_is_still(). */
sqlite3 *database_open_to_read(const struct config *config, bool *still_out, struct sluice_error *error);

/* Whether still nobody writes to a database that was opened as a still image; what was read is worth nothing otherwise.
 */
bool database_is_still(const struct config *config);

/* Brings the schema to the newest version, as one transaction. A file of a newer Sluice is refused. */
bool database_migrate(sqlite3 *db, const struct config *config, struct sluice_error *error);

/* Refuses a schema of another version: for who only reads. */
bool database_check_version(sqlite3 *db, const struct config *config, struct sluice_error *error);

/* Runs statements without results. */
bool database_run(sqlite3 *db, const char *sql, struct sluice_error *error);

/* Inside a transaction: makes it write a page as it is. */
bool database_touch(sqlite3 *db);

/* Whether the database agrees with itself, and whether the file alone, without its log, is a database of Sluice that does.
 * Both read all of it. */
bool database_is_sound(sqlite3 *db);
bool database_file_is_sound(const struct config *config);

/* The single number that `sql` yields. */
bool database_ask(sqlite3 *db, const char *sql, int64_t *answer_out, struct sluice_error *error);

/* Bytes of the file, and of the WAL beside it; 0 if there is none. */
void database_sizes(const struct config *config, int64_t *file_out, int64_t *wal_out);

#endif
