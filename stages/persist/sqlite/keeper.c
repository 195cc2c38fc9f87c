/*
 * The keeper. A PASSIVE checkpoint never makes anybody wait, but the WAL starts again at its beginning only with a
 * transaction that begins when all of it is brought over, and under steady load the next one has always begun before.
 * So beyond `wal_limit` the writer is held for the little that is left after a passive pass.
 */
#include "keeper.h"

#include <time.h>

#define PROBE_INTERVAL_S 1

/* Called by SQLite inside each commit. */
static int on_commit(void *context, sqlite3 *db, const char *name, int wal_pages)
{
	struct keeper *keeper = context;
	(void)db, (void)name;
	(void)pthread_mutex_lock(&keeper->lock);
	int64_t before = keeper->wal_bytes;
	keeper->wal_bytes = wal_pages * keeper->page_size;
	if (keeper->wal_bytes < before) /* it began again */
		keeper->checkpoint_bytes = (int64_t)keeper->config->checkpoint_size;
	if (keeper->wal_bytes >= keeper->checkpoint_bytes)
		(void)pthread_cond_signal(&keeper->wake);
	(void)pthread_mutex_unlock(&keeper->lock);
	return SQLITE_OK;
}

/* Brings over what is in the WAL now, without waiting for anybody. */
static void checkpoint(struct keeper *keeper)
{
	int result = sqlite3_wal_checkpoint_v2(keeper->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	if (result != SQLITE_OK && result != SQLITE_BUSY)
		sluice_log(keeper->writer->stage, SLUICE_LOG_WARN, "checkpoint_failed",
		           sluice_text("cause", sqlite3_errmsg(keeper->db)));
}

/* Returns the bytes of the WAL, and asks for the next checkpoint when it has grown by another `checkpoint_size`. */
static int64_t measure(struct keeper *keeper)
{
	(void)pthread_mutex_lock(&keeper->lock);
	int64_t bytes = keeper->wal_bytes;
	keeper->checkpoint_bytes = bytes + (int64_t)keeper->config->checkpoint_size;
	(void)pthread_mutex_unlock(&keeper->lock);
	return bytes;
}

static void keep_small(struct keeper *keeper)
{
	checkpoint(keeper);
	if (measure(keeper) < (int64_t)keeper->config->wal_limit)
		return;
	writer_pause(keeper->writer);
	checkpoint(keeper);
	writer_resume(keeper->writer);
}

/* Waits until there is something to do, at most a probe interval. */
static void rest(struct keeper *keeper)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PROBE_INTERVAL_S;
	int result = 0;
	while (!keeper->stopping && keeper->wal_bytes < keeper->checkpoint_bytes && result == 0)
		result = pthread_cond_timedwait(&keeper->wake, &keeper->lock, &until);
}

static void *keep(void *context)
{
	struct keeper *keeper = context;
	char trouble[TROUBLE_SIZE];
	(void)pthread_mutex_lock(&keeper->lock);
	while (!keeper->stopping) {
		bool full = keeper->wal_bytes >= keeper->checkpoint_bytes;
		(void)pthread_mutex_unlock(&keeper->lock);
		if (full)
			keep_small(keeper);
		if (writer_in_trouble(keeper->writer, trouble))
			writer_probe(keeper->writer);
		(void)pthread_mutex_lock(&keeper->lock);
		rest(keeper);
	}
	(void)pthread_mutex_unlock(&keeper->lock);
	return NULL;
}

bool keeper_create(struct keeper *keeper, struct writer *writer, struct sluice_error *error)
{
	const struct config *config = writer->stage->config;
	*keeper = (struct keeper){
		.writer = writer, .config = config, .checkpoint_bytes = (int64_t)config->checkpoint_size};
	keeper->db = database_open(config, DATABASE_MUST_EXIST, error);
	if (!keeper->db)
		return false;
	struct sluice_error cause = {0};
	if (!database_ask(keeper->db, "PRAGMA page_size", &keeper->page_size, &cause)) {
		(void)sluice_error_set(error, "path: %s: %s", config->path, cause.text);
		goto close;
	}
	pthread_condattr_t monotonic;
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&keeper->wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	(void)pthread_mutex_init(&keeper->lock, NULL);
	if (pthread_create(&keeper->thread, NULL, keep, keeper) != 0) {
		(void)sluice_error_set(error, "no thread could be started");
		goto forget_locks;
	}
	(void)sqlite3_wal_hook(writer->db, on_commit, keeper);
	return true;

forget_locks:
	(void)pthread_mutex_destroy(&keeper->lock);
	(void)pthread_cond_destroy(&keeper->wake);
close:
	(void)sqlite3_close(keeper->db);
	return false;
}

void keeper_destroy(struct keeper *keeper)
{
	(void)sqlite3_wal_hook(keeper->writer->db, NULL, NULL);
	(void)pthread_mutex_lock(&keeper->lock);
	keeper->stopping = true;
	(void)pthread_cond_signal(&keeper->wake);
	(void)pthread_mutex_unlock(&keeper->lock);
	(void)pthread_join(keeper->thread, NULL);
	(void)sqlite3_wal_checkpoint_v2(keeper->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	(void)sqlite3_close(keeper->db);
	(void)pthread_mutex_destroy(&keeper->lock);
	(void)pthread_cond_destroy(&keeper->wake);
}
