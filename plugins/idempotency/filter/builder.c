/* Reads the store into the filter; see builder.h. */
#include "builder.h"

#include <string.h>
#include <time.h>

#include "postgres/connection.h"
#include "postgres/transaction.h"
#include "postgres/values.h"

/* A store whose epoch goes on changing is not read yet, and one that cannot be read is left alone for a while. */
enum { PAUSE_MS = 200, PAUSE_MAX_MS = 5000, MS = 1000000 };

/* False: it is time to stop. */
static bool pause_for(struct builder *builder, int64_t ms)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * MS;
	if (until.tv_nsec >= 1000 * MS) {
		until.tv_sec++;
		until.tv_nsec -= 1000 * MS;
	}
	(void)pthread_mutex_lock(&builder->lock);
	while (!builder->stopping && pthread_cond_timedwait(&builder->stop, &builder->lock, &until) == 0)
		;
	(void)pthread_mutex_unlock(&builder->lock);
	return !builder->stopping;
}

/* The rows at the cursor; *more_out: there may be others behind. */
static bool add_page(struct builder *builder, struct connection *connection, uint64_t *ids, bool *more_out)
{
	const struct sluice_host *host = builder->lookup->stage->host;
	PGresult *page = connection_query(connection, "FETCH 10000 FROM sluice_ids", NULL);
	bool ok = connection_judge(connection, page) == FAULT_NONE;
	int rows = ok ? PQntuples(page) : 0;
	for (int row = 0; row < rows; row++) {
		struct sluice_bytes id = column_bytes(page, row, 0);
		bloom_add(builder->bloom, host->hash(id.data ? id.data : "", id.size));
	}
	PQclear(page);
	*ids += (uint64_t)rows;
	*more_out = rows > 0;
	return ok;
}

/* In pages, so that it can be stopped; the cursor shows one moment. */
static bool read_ids(struct builder *builder, uint64_t *ids, struct sluice_error *error)
{
	struct connection *connection = connection_open(&builder->lookup->server, CONNECTION_READS, error);
	if (!connection)
		return false;
	bool more = transaction_open(connection, TRANSACTION_READS, error) &&
	            connection_run(connection,
	                           "DECLARE sluice_ids NO SCROLL CURSOR FOR SELECT message_id FROM webhook_events",
	                           error);
	bool ok = more;
	while (ok && more && !builder->stopping)
		ok = add_page(builder, connection, ids, &more) ||
		     sluice_error_set(error, "PostgreSQL: %s", connection->trouble.text);
	connection_close(connection);
	return ok && !more;
}

static bool build(struct builder *builder, uint64_t epoch)
{
	struct sluice_stage *stage = builder->lookup->stage;
	uint64_t ids = 0;
	struct sluice_error error = {0};
	int64_t start_ns = stage->host->now_ns();
	if (!read_ids(builder, &ids, &error)) {
		if (!builder->stopping)
			sluice_log(stage, SLUICE_LOG_WARN, "filter_not_built", sluice_text("reason", error.text));
		return false;
	}
	atomic_store(&builder->whole_in, epoch + 1);
	sluice_log(stage, SLUICE_LOG_INFO, "filter_built", sluice_int("ids", (int64_t)ids),
	           sluice_int("ms", (stage->host->now_ns() - start_ns) / MS),
	           sluice_real("false_positive_rate", bloom_false_positive_rate(builder->bloom)));
	return true;
}

static void *work(void *context)
{
	struct builder *builder = context;
	struct sluice_stage *stage = builder->lookup->stage;
	uint64_t seen = sluice_store_epoch(stage);
	int64_t pause_ms = 0;
	(void)pthread_setname_np(pthread_self(), "filter");
	while (pause_for(builder, pause_ms)) {
		uint64_t epoch = sluice_store_epoch(stage);
		bool is_steady = epoch == seen;
		seen = epoch;
		if (!is_steady || builder_is_whole(builder) || build(builder, epoch))
			pause_ms = PAUSE_MS;
		else
			pause_ms = pause_ms < PAUSE_MAX_MS / 2 ? 2 * pause_ms + PAUSE_MS : PAUSE_MAX_MS;
	}
	return NULL;
}

bool builder_start(struct builder *builder, struct lookup *lookup, struct bloom *bloom, struct sluice_error *error)
{
	*builder = (struct builder){.lookup = lookup, .bloom = bloom};
	pthread_condattr_t attributes;
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&builder->stop, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	(void)pthread_mutex_init(&builder->lock, NULL);
	int problem = pthread_create(&builder->thread, NULL, work, builder);
	if (problem == 0)
		return true;
	(void)pthread_cond_destroy(&builder->stop);
	(void)pthread_mutex_destroy(&builder->lock);
	return sluice_error_set(error, "cannot start a thread: %s", strerror(problem));
}

void builder_stop(struct builder *builder)
{
	(void)pthread_mutex_lock(&builder->lock);
	builder->stopping = true;
	(void)pthread_cond_signal(&builder->stop);
	(void)pthread_mutex_unlock(&builder->lock);
	(void)pthread_join(builder->thread, NULL);
	(void)pthread_cond_destroy(&builder->stop);
	(void)pthread_mutex_destroy(&builder->lock);
}

bool builder_is_whole(struct builder *builder)
{
	return atomic_load(&builder->whole_in) == sluice_store_epoch(builder->lookup->stage) + 1;
}
