/* Upkeep. */
#include "upkeep.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_S = 30, AGAIN_MS = 2 };

/* Looks at a thousand entries of each index: enough to know how rows are spread, and soon done. */
#define ANALYZE "PRAGMA analysis_limit = 1000; ANALYZE"

static time_t now_s(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* A busy handler. SQLite's own asks ever more rarely, and a server at work leaves the lock free for moments only. */
static int wait_a_little(void *until_s, int tries)
{
	(void)tries;
	(void)sqlite3_sleep(AGAIN_MS);
	return now_s() < *(const time_t *)until_s;
}

/* For another's checkpoint SQLite does not wait, whatever its busy handler says; the keeper of a server that has just
 * been busy is at one. */
static bool checkpoint(sqlite3 *db, time_t until_s)
{
	int result;
	while ((result = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_FULL, NULL, NULL)) == SQLITE_BUSY &&
	       now_s() < until_s)
		(void)sqlite3_sleep(AGAIN_MS);
	return result == SQLITE_OK;
}

bool upkeep_maintain(const struct config *config, struct disk *disk, struct sluice_error *error)
{
	time_t until_s = now_s() + PATIENCE_S;
	sqlite3 *db = database_open(config, disk, DATABASE_MUST_EXIST, error);
	if (!db)
		return false;
	(void)sqlite3_busy_handler(db, wait_a_little, &until_s);
	bool ok = database_run(db, ANALYZE, NULL) && checkpoint(db, until_s);
	if (!ok)
		(void)sluice_error_set(error, "path: %s: cannot be brought to rest: %s", config->path,
		                       sqlite3_errmsg(db));
	(void)sqlite3_busy_handler(db, NULL, NULL);
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
