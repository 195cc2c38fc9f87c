/*
 * The keeper. A PASSIVE checkpoint never makes anybody wait, but the WAL starts again at its beginning only with a
 * transaction that begins when all of it is brought over, and under steady load the next one has always begun before.
 * So beyond `wal_limit` the writer is held for the little that is left after a passive pass.
 */
#include "keeper.h"

#include "real_clock.h"
#include "recovery.h"

#define LOOK_INTERVAL_NS INT64_C(250000000)

/* The log is read to its end at most that often, and takes at most that part of a processor's time. */
#define CHECK_INTERVAL_NS INT64_C(500000000)
enum { CHECK_SHARE = 32 };

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
	if (!keeper->db)
		return;
	disk_check_log(keeper->writer->disk, LOG_UNKNOWN);
	if (disk_is_doubted(keeper->writer->disk))
		return;
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

static void check_log(struct keeper *keeper)
{
	int64_t began_ns = real_now_ns(), used_ns = read_clock(CLOCK_THREAD_CPUTIME_ID);
	if (!keeper->db || began_ns < keeper->check_at_ns)
		return;
	disk_check_log(keeper->writer->disk, LOG_ALL);
	used_ns = read_clock(CLOCK_THREAD_CPUTIME_ID) - used_ns;
	keeper->check_at_ns = began_ns +
	                      (used_ns * CHECK_SHARE > CHECK_INTERVAL_NS ? used_ns * CHECK_SHARE : CHECK_INTERVAL_NS);
}

/* Whoever puts a good copy in the place of a large damaged file, which takes long to check, should find the disk idle
 * most of the time. */
static void recover(struct keeper *keeper)
{
	int64_t began_ns = real_now_ns();
	if (began_ns < keeper->recover_at_ns)
		return;
	writer_pause(keeper->writer);
	bool ok = recovery_run(keeper);
	writer_resume(keeper->writer);
	int64_t ended_ns = real_now_ns();
	keeper->recover_at_ns = ok ? 0 : ended_ns + 3 * (ended_ns - began_ns);
}

/* A look at what nobody has looked at since the last one. A doubt is told until the next look at least, so that health
 * tells of a recovery that takes some milliseconds, too. */
static void look(struct keeper *keeper)
{
	struct writer *writer = keeper->writer;
	char trouble[TROUBLE_SIZE];
	uint64_t transactions = atomic_load_explicit(&writer->transactions, memory_order_relaxed);
	bool idle = transactions == keeper->transactions;
	keeper->transactions = transactions;
	if (!disk_is_doubted(writer->disk))
		check_log(keeper);
	else if (keeper->doubt_told)
		recover(keeper);
	if (idle || disk_is_doubted(writer->disk) || trouble_get(writer->trouble, trouble))
		writer_probe(writer);
	keeper->doubt_told = disk_is_doubted(writer->disk);
}

static struct timespec from_now(int64_t ns)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ns;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return until;
}

static void *keep(void *context)
{
	struct keeper *keeper = context;
	struct timespec next_look = from_now(LOOK_INTERVAL_NS);
	(void)pthread_mutex_lock(&keeper->lock);
	while (!keeper->stopping) {
		int result = 0;
		if (keeper->wal_bytes < keeper->checkpoint_bytes)
			result = pthread_cond_timedwait(&keeper->wake, &keeper->lock, &next_look);
		bool full = keeper->wal_bytes >= keeper->checkpoint_bytes;
		(void)pthread_mutex_unlock(&keeper->lock);
		if (full)
			keep_small(keeper);
		if (result != 0) {
			look(keeper);
			next_look = from_now(LOOK_INTERVAL_NS);
		}
		(void)pthread_mutex_lock(&keeper->lock);
	}
	(void)pthread_mutex_unlock(&keeper->lock);
	return NULL;
}

bool keeper_open(struct keeper *keeper, struct sluice_error *error)
{
	keeper->db = database_open(keeper->config, keeper->writer->disk, DATABASE_MUST_EXIST, error);
	if (!keeper->db)
		return false;
	struct sluice_error cause = {0};
	if (!database_ask(keeper->db, "PRAGMA page_size", &keeper->page_size, &cause)) {
		(void)sluice_error_set(error, "path: %s: %s", keeper->config->path, cause.text);
		keeper_close(keeper);
		return false;
	}
	(void)sqlite3_wal_hook(keeper->writer->db, on_commit, keeper);
	return true;
}

void keeper_close(struct keeper *keeper)
{
	if (!keeper->db)
		return;
	(void)sqlite3_db_config(keeper->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_close(keeper->db);
	keeper->db = NULL;
}

bool keeper_create(struct keeper *keeper, struct writer *writer, struct sluice_error *error)
{
	const struct config *config = writer->config;
	*keeper = (struct keeper){
		.writer = writer, .config = config, .checkpoint_bytes = (int64_t)config->checkpoint_size};
	pthread_condattr_t monotonic;
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&keeper->wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	(void)pthread_mutex_init(&keeper->lock, NULL);
	if (!keeper_open(keeper, error))
		goto forget_locks;
	struct sluice_error cause = {0};
	if (!recovery_settle(keeper, &cause)) {
		(void)sluice_error_set(error, "path: %s: %s", config->path, cause.text);
		goto close;
	}
	if (pthread_create(&keeper->thread, NULL, keep, keeper) == 0)
		return true;
	(void)sluice_error_set(error, "no thread could be started");

close:
	(void)sqlite3_wal_hook(writer->db, NULL, NULL);
	keeper_close(keeper);
forget_locks:
	(void)pthread_mutex_destroy(&keeper->lock);
	(void)pthread_cond_destroy(&keeper->wake);
	return false;
}

void keeper_destroy(struct keeper *keeper)
{
	(void)pthread_mutex_lock(&keeper->lock);
	keeper->stopping = true;
	(void)pthread_cond_signal(&keeper->wake);
	(void)pthread_mutex_unlock(&keeper->lock);
	(void)pthread_join(keeper->thread, NULL);
	if (keeper->db)
		disk_check_log(keeper->writer->disk, LOG_ALL);
	if (disk_is_doubted(keeper->writer->disk)) /* the last chance for what only the open files hold */
		(void)recovery_run(keeper);
	if (keeper->writer->db)
		(void)sqlite3_wal_hook(keeper->writer->db, NULL, NULL);
	if (keeper->db)
		(void)sqlite3_wal_checkpoint_v2(keeper->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	(void)sqlite3_close(keeper->db);
	(void)pthread_mutex_destroy(&keeper->lock);
	(void)pthread_cond_destroy(&keeper->wake);
}
