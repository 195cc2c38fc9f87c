/* Upkeep. */
#include "upkeep.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000 };

/* Looks at a thousand entries of each index: enough to know how rows are spread, and soon done. */
#define ANALYZE "PRAGMA analysis_limit = 1000; ANALYZE"

bool upkeep_tend(const struct config *config, struct sluice_error *error)
{
	sqlite3 *db = database_open(config, DATABASE_MUST_EXIST, error);
	if (!db)
		return false;
	(void)sqlite3_busy_timeout(db, PATIENCE_MS);
	bool ok = database_run(db, ANALYZE, NULL) &&
	          sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_FULL, NULL, NULL) == SQLITE_OK;
	if (!ok)
		(void)sluice_error_set(error, "path: %s: cannot be brought to rest: %s", config->path,
		                       sqlite3_errmsg(db));
	(void)sqlite3_busy_timeout(db, 0);
	if (ok)
		(void)sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	(void)sqlite3_close(db);
	return ok;
}

static bool remove_file(const struct config *config, const char *suffix, struct sluice_error *error)
{
	char *name = sqlite3_mprintf("%s%s", config->path, suffix);
	bool ok = name && (unlink(name) == 0 || errno == ENOENT);
	if (!ok)
		(void)sluice_error_set(error, "path: %s%s: cannot be removed: %s", config->path, suffix,
		                       name ? strerror(errno) : "out of memory");
	sqlite3_free(name);
	return ok;
}

bool upkeep_erase(const struct config *config, struct sluice_error *error)
{
	static const char *const suffixes[] = {"-shm", "-wal", ""};
	bool ok = true;
	for (size_t i = 0; ok && i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		ok = remove_file(config, suffixes[i], error);
	return ok;
}
