/* A connection to the database file. */
#include "database.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "folder.h"
#include "schema.h"

const char *const synchronous_names[] = {
	[SYNCHRONOUS_FULL] = "full", [SYNCHRONOUS_NORMAL] = "normal", [SYNCHRONOUS_OFF] = "off", NULL};

static bool fail(sqlite3 *db, const struct config *config, const char *what, struct sluice_error *error)
{
	int code = sqlite3_errcode(db) & 0xff;
	bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
	return sluice_error_set(error, "path: %s: %s: %s%s", config->path, what, sqlite3_errmsg(db),
	                        damaged ? ": put a good copy in its place" : "");
}

bool database_run(sqlite3 *db, const char *sql, struct sluice_error *error)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return true;
	return sluice_error_set(error, "%s", sqlite3_errmsg(db));
}

/* The single value that `sql` yields, as text; "" if there is none. */
static bool ask(sqlite3 *db, const char *sql, char *answer, size_t room)
{
	sqlite3_stmt *statement = NULL;
	bool ok = sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK;
	int result = ok ? sqlite3_step(statement) : SQLITE_ERROR;
	const char *text = result == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
	(void)snprintf(answer, room, "%s", text ? text : "");
	ok = result == SQLITE_ROW || result == SQLITE_DONE;
	(void)sqlite3_finalize(statement);
	return ok;
}

bool database_ask(sqlite3 *db, const char *sql, int64_t *answer_out, struct sluice_error *error)
{
	sqlite3_stmt *statement = NULL;
	bool ok = sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
	          sqlite3_step(statement) == SQLITE_ROW;
	if (ok)
		*answer_out = sqlite3_column_int64(statement, 0);
	else
		(void)sluice_error_set(error, "%s", sqlite3_errmsg(db));
	(void)sqlite3_finalize(statement);
	return ok;
}

bool database_is_sound(sqlite3 *db)
{
	char answer[8];
	return ask(db, "PRAGMA integrity_check(1)", answer, sizeof(answer)) && strcmp(answer, "ok") == 0;
}

bool database_touch(sqlite3 *db)
{
	char version[32], sql[64];
	if (!ask(db, "PRAGMA user_version", version, sizeof(version)))
		return false;
	(void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %s", version);
	return database_run(db, sql, NULL);
}

/* Any program may have written the number: it is an index only within 0 and schema_version. */
static bool read_version(sqlite3 *db, const struct config *config, int *version_out, struct sluice_error *error)
{
	int64_t version;
	*version_out = 0;
	if (!database_ask(db, "PRAGMA user_version", &version, NULL))
		return fail(db, config, "cannot read the schema's version", error);
	if (version < 0)
		return sluice_error_set(
			error,
			"path: %s: its schema has version %lld, which no Sluice writes: the file is damaged or of another program",
			config->path, (long long)version);
	if (version > schema_version)
		return sluice_error_set(
			error,
			"path: %s: its schema has version %lld and this Sluice knows up to %d: use the Sluice that wrote it, or another file",
			config->path, (long long)version, schema_version);
	*version_out = (int)version;
	return true;
}

static bool configure(sqlite3 *db, const struct config *config, struct sluice_error *error)
{
	char pragmas[160];
	(void)snprintf(pragmas, sizeof(pragmas),
	               "PRAGMA synchronous = %s; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = %llu",
	               synchronous_names[config->synchronous], (unsigned long long)config->wal_limit);
	if (!database_run(db, pragmas, NULL))
		return fail(db, config, "cannot be set up", error);
	char mode[16];
	if (!ask(db, "PRAGMA journal_mode = WAL", mode, sizeof(mode)))
		return fail(db, config, "cannot be set up", error);
	if (strcmp(mode, "wal") != 0)
		return sluice_error_set(error,
		                        "path: %s: SQLite cannot keep a write-ahead log for it (journal mode is %s)",
		                        config->path, mode);
	return true;
}

/* `vfs` NULL: SQLite's own. */
static sqlite3 *open_connection(const struct config *config, const char *name, int flags, const char *vfs,
                                struct sluice_error *error)
{
	sqlite3 *db = NULL;
	if (sqlite3_open_v2(name, &db, flags | SQLITE_OPEN_NOMUTEX, vfs) != SQLITE_OK) {
		/* The message alone ("unable to open database file") hides whether the folder or the rights are
		 * missing. */
		int cause = sqlite3_system_errno(db);
		(void)sluice_error_set(error, "path: %s: %s%s%s", config->path, sqlite3_errmsg(db), cause ? ": " : "",
		                       cause ? strerror(cause) : "");
		(void)sqlite3_close(db);
		return NULL;
	}
	(void)sqlite3_extended_result_codes(db, 1);
	(void)sqlite3_busy_timeout(db, (int)(config->busy_timeout.ns / 1000000));
	return db;
}

sqlite3 *database_open(const struct config *config, struct disk *disk, enum database_when when,
                       struct sluice_error *error)
{
	if (!folder_check(config, FOLDER_TO_WRITE, error))
		return NULL;
	int create = when == DATABASE_MAY_BE_NEW ? SQLITE_OPEN_CREATE : 0;
	sqlite3 *db = open_connection(config, config->path, SQLITE_OPEN_READWRITE | create, disk->name, error);
	if (db && !configure(db, config, error)) {
		(void)sqlite3_close(db);
		return NULL;
	}
	return db;
}

static int64_t size_of(const char *path, const char *suffix)
{
	struct stat status;
	char *name = sqlite3_mprintf("%s%s", path, suffix);
	int64_t size = name && stat(name, &status) == 0 ? (int64_t)status.st_size : -1;
	sqlite3_free(name);
	return size;
}

void database_sizes(const struct config *config, int64_t *file_out, int64_t *wal_out)
{
	int64_t file = size_of(config->path, ""), wal = size_of(config->path, "-wal");
	*file_out = file < 0 ? 0 : file;
	*wal_out = wal < 0 ? 0 : wal;
}

bool database_is_still(const struct config *config)
{
	return size_of(config->path, "-wal") < 0;
}

/* "file:…?immutable=1", with everything escaped that means something in a URI. */
static char *still_uri(const char *path)
{
	sqlite3_str *uri = sqlite3_str_new(NULL);
	sqlite3_str_appendall(uri, "file:");
	for (; *path; path++) {
		if (strchr("%?#", *path))
			sqlite3_str_appendf(uri, "%%%02x", (unsigned char)*path);
		else
			sqlite3_str_appendchar(uri, 1, *path);
	}
	sqlite3_str_appendall(uri, "?immutable=1");
	return sqlite3_str_finish(uri);
}

sqlite3 *database_open_to_read(const struct config *config, bool *still_out, struct sluice_error *error)
{
	if (size_of(config->path, "") < 0) {
		(void)sluice_error_set(error, "path: %s: %s", config->path, strerror(errno));
		return NULL;
	}
	/* A database in WAL mode without its WAL is in nobody's hands. Opened the usual way, SQLite would make the
	 * file. */
	*still_out = database_is_still(config);
	char *uri = *still_out ? still_uri(config->path) : NULL;
	sqlite3 *db = open_connection(config, uri ? uri : config->path,
	                              SQLITE_OPEN_READONLY | (uri ? SQLITE_OPEN_URI : 0), NULL, error);
	sqlite3_free(uri);
	if (!db)
		return NULL;
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return db;
}

static bool apply_steps(sqlite3 *db, const struct config *config, struct sluice_error *error)
{
	int version; /* read inside the transaction: another process may have been faster */
	if (!read_version(db, config, &version, error))
		return false;
	for (; version < schema_version; version++) {
		char mark[48];
		(void)snprintf(mark, sizeof(mark), "PRAGMA user_version = %d", version + 1);
		if (!database_run(db, schema_steps[version], NULL) || !database_run(db, mark, NULL))
			return fail(db, config, "cannot create the tables", error);
	}
	return true;
}

bool database_migrate(sqlite3 *db, const struct config *config, struct sluice_error *error)
{
	int version;
	if (!read_version(db, config, &version, error))
		return false;
	if (version == schema_version)
		return true;
	if (!database_run(db, "BEGIN IMMEDIATE", NULL))
		return fail(db, config, "cannot create the tables", error);
	if (!apply_steps(db, config, error)) {
		(void)database_run(db, "ROLLBACK", NULL);
		return false;
	}
	if (database_run(db, "COMMIT", NULL))
		return true;
	(void)fail(db, config, "cannot create the tables", error);
	(void)database_run(db, "ROLLBACK", NULL);
	return false;
}

bool database_check_version(sqlite3 *db, const struct config *config, struct sluice_error *error)
{
	int version;
	if (!read_version(db, config, &version, error))
		return false;
	if (version == schema_version)
		return true;
	return sluice_error_set(error, "path: %s: its schema has version %d instead of %d: start Sluice on it once",
	                        config->path, version, schema_version);
}

bool database_file_is_sound(const struct config *config)
{
	char *uri = still_uri(config->path);
	sqlite3 *db = open_connection(config, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL, NULL);
	sqlite3_free(uri);
	bool sound = db && database_check_version(db, config, NULL) && database_is_sound(db);
	(void)sqlite3_close(db);
	return sound;
}
