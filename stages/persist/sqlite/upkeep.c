/* Upkeep. */
#include "upkeep.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_S = 10, AGAIN_MS = 2 };

/* Looks at a thousand entries of each index: enough to know how rows are spread, and soon done. */
#define ANALYZE "PRAGMA analysis_limit = 1000; ANALYZE"

static time_t now_s(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* For another's checkpoint SQLite does not wait, whatever its busy timeout is; the keeper of a server that has just
 * been busy is at one. */
static bool checkpoint(sqlite3 *db)
{
	time_t until_s = now_s() + PATIENCE_S;
	int result;
	while ((result = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_FULL, NULL, NULL)) == SQLITE_BUSY &&
	       now_s() < until_s)
		(void)sqlite3_sleep(AGAIN_MS);
	return result == SQLITE_OK;
}

bool upkeep_maintain(const struct config *config, struct sluice_error *error)
{
	sqlite3 *db = database_open(config, DATABASE_MUST_EXIST, error);
	if (!db)
		return false;
	(void)sqlite3_busy_timeout(db, PATIENCE_S * 1000);
	bool ok = database_run(db, ANALYZE, NULL) && checkpoint(db);
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

bool upkeep_drop(const struct config *config, struct sluice_error *error)
{
	static const char *const suffixes[] = {"-shm", "-wal", ""};
	bool ok = true;
	for (size_t i = 0; ok && i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		ok = remove_file(config, suffixes[i], error);
	return ok;
}
