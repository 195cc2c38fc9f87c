/*
 * persist/sqlite: the embedded store. A batch is one transaction, durable when store_batch() returns: WAL with
 * synchronous=FULL syncs the log inside each COMMIT.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <sluice/stage.h>

#include "birth.h"
#include "database.h"
#include "figures.h"
#include "folder.h"
#include "inspect.h"
#include "keeper.h"
#include "reader.h"
#include "trouble.h"
#include "upkeep.h"
#include "writer.h"

struct store {
	/* Of the stage, but with the path that SQLite uses: absolute and without links, for the working folder may be moved.
	 * A read-only stage keeps the path that it was given. */
	struct config config;
	char path[PATH_MAX];
	struct disk disk;
	struct trouble trouble;
	struct writer writer; /* and keeper: unless the stage is read-only */
	struct keeper keeper;
	struct reader reader; /* of one moment, of a read-only stage */
};

static bool check(const void *options, struct sluice_error *error)
{
	const struct config *config = options;
	if (!folder_check(config, FOLDER_TO_READ, error))
		return false;
	if (config->synchronous != SYNCHRONOUS_FULL && config->durability == DURABILITY_STRICT)
		return sluice_error_set(
			error,
			"synchronous: anything below full loses answered events when the power fails; if that may be, say `durability: relaxed`");
	if (config->wal_limit < config->checkpoint_size)
		return sluice_error_set(error, "wal_limit: expected at least checkpoint_size (%llu bytes), got %llu",
		                        (unsigned long long)config->checkpoint_size,
		                        (unsigned long long)config->wal_limit);
	return true;
}

static bool open_to_write(struct store *store, struct sluice_stage *stage, struct sluice_error *error)
{
	if (!folder_check(stage->config, FOLDER_TO_WRITE, error) ||
	    !folder_resolve(store->config.path, store->disk.configured, store->path, error))
		return false;
	store->config.path = store->path;
	if (!birth_give(store->path, error) || !inspect_files(&store->config, error))
		return false;
	store->writer = (struct writer){
		.stage = stage, .config = &store->config, .disk = &store->disk, .trouble = &store->trouble};
	if (!writer_create(&store->writer, error))
		return false;
	if (keeper_create(&store->keeper, &store->writer, error))
		return true;
	writer_destroy(&store->writer);
	return false;
}

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return sluice_error_set(error, "out of memory");
	store->config = *(const struct config *)stage->config;
	if (!disk_init(&store->disk, error))
		goto free_store;
	trouble_init(&store->trouble, stage);
	if (stage->read_only) {
		if (!reader_create(&store->reader, &store->config, true, error))
			goto finish_disk;
	} else {
		if (!open_to_write(store, stage, error))
			goto finish_disk;
		trouble_rename_store(&store->trouble, "opened");
	}
	stage->state = store;
	return true;

finish_disk:
	trouble_finish(&store->trouble);
	disk_finish(&store->disk);
free_store:
	free(store);
	return false;
}

static void destroy(struct sluice_stage *stage)
{
	struct store *store = stage->state;
	if (stage->read_only) {
		reader_destroy(&store->reader);
	} else {
		keeper_destroy(&store->keeper);
		writer_destroy(&store->writer);
	}
	trouble_finish(&store->trouble);
	disk_finish(&store->disk);
	free(store);
}

static void store_batch(struct sluice_stage *stage, struct sluice_batch *batch)
{
	struct store *store = stage->state;
	writer_store(&store->writer, batch);
}

static bool dead_letter(struct sluice_stage *stage, struct sluice_event *event, const char *reason,
                        struct sluice_error *error)
{
	struct store *store = stage->state;
	return writer_dead_letter(&store->writer, event, reason, error);
}

/* The reader that the stage has, or one for this call. */
static struct reader *begin_reading(struct sluice_stage *stage, struct reader *own, struct sluice_error *error)
{
	struct store *store = stage->state;
	if (stage->read_only)
		return &store->reader;
	return reader_create(own, &store->config, false, error) ? own : NULL;
}

static bool end_reading(const struct sluice_stage *stage, struct reader *reader, bool ok)
{
	if (!stage->read_only)
		reader_destroy(reader);
	return ok;
}

static bool scan(struct sluice_stage *stage, int64_t after_id, sluice_record_fn each, void *context,
                 struct sluice_error *error)
{
	struct reader own, *reader = begin_reading(stage, &own, error);
	return reader && end_reading(stage, reader, reader_scan(reader, after_id, each, context, error));
}

static bool audit_scan(struct sluice_stage *stage, sluice_audit_fn each, void *context, struct sluice_error *error)
{
	struct reader own, *reader = begin_reading(stage, &own, error);
	return reader && end_reading(stage, reader, reader_audit_scan(reader, each, context, error));
}

static bool scan_letters(struct sluice_stage *stage, int64_t after_id, sluice_letter_fn each, void *context,
                         struct sluice_error *error)
{
	struct reader own, *reader = begin_reading(stage, &own, error);
	return reader && end_reading(stage, reader, reader_scan_letters(reader, after_id, each, context, error));
}

static bool drop_letter(struct sluice_stage *stage, int64_t id, struct sluice_error *error)
{
	struct store *store = stage->state;
	return writer_drop_letter(&store->writer, id, error);
}

static bool prune(struct sluice_stage *stage, struct sluice_pruning *pruning, struct sluice_error *error)
{
	struct store *store = stage->state;
	return writer_prune(&store->writer, pruning, error);
}

static void observe(struct sluice_stage *stage, struct sluice_observer *observer)
{
	struct store *store = stage->state;
	int64_t file, wal;
	database_sizes(&store->config, &file, &wal);
	observer->gauge(observer, "db_size_bytes", NULL, NULL, (double)file, "Size of the database file.");
	observer->gauge(observer, "db_wal_bytes", NULL, NULL, (double)wal, "Size of the write-ahead log beside it.");
	char trouble[TROUBLE_SIZE];
	if (!trouble_get(&store->trouble, trouble))
		return;
	char reason[TROUBLE_SIZE + 32];
	(void)snprintf(reason, sizeof(reason), "SQLite could not commit: %s", trouble);
	observer->unhealthy(observer, reason);
}

/* A checkpoint cannot go past the moment that a reader holds. */
static bool maintain(struct sluice_stage *stage, struct sluice_error *error)
{
	struct store *store = stage->state;
	if (stage->read_only) {
		reader_let_go(&store->reader);
		bool ok = upkeep_maintain(&store->config, &store->disk, error);
		return reader_look(&store->reader, error) && ok;
	}
	writer_pause(&store->writer);
	bool ok = upkeep_maintain(&store->config, &store->disk, error);
	writer_resume(&store->writer);
	return ok;
}

static bool stats(struct sluice_stage *stage, struct sluice_observer *observer, struct sluice_error *error)
{
	struct store *store = stage->state;
	struct reader reader;
	if (!reader_create(&reader, &store->config, true, error))
		return false;
	bool ok = figures_show(&reader, observer, error);
	reader_destroy(&reader);
	return ok;
}

static bool drop(struct sluice_stage *stage, struct sluice_error *error)
{
	const struct config *config = stage->config;
	if (sluice_is_lab_location(config->path))
		return upkeep_drop(config, error);
	return sluice_error_set(error,
	                        "path: only a file whose name begins with " SLUICE_LAB_PREFIX " may be erased, not %s",
	                        config->path);
}

static const char *const spans[] = {[SPAN_EXECUTE] = "execute", [SPAN_COMMIT] = "commit", NULL};
static const char *const durabilities[] = {[DURABILITY_STRICT] = "strict", [DURABILITY_RELAXED] = "relaxed", NULL};

static const struct sluice_option options[] = {
	SLUICE_OPTION_STRING(struct config, path, .name = "path", .fallback = "sluice.db",
                             .flags = SLUICE_OPTION_LOCATION | SLUICE_OPTION_FILE,
                             .help = "the database file; created if there is none"),
	SLUICE_OPTION_CHOICE(
		struct config, durability, .name = "durability", .fallback = "strict", .choices = durabilities,
		.help = "relaxed allows settings, and a folder in memory, that lose acknowledged events when the power fails"),
	SLUICE_OPTION_CHOICE(struct config, synchronous, .name = "synchronous", .fallback = "full",
                             .choices = synchronous_names,
                             .help = "how SQLite syncs; below full only where durability is relaxed"),
	SLUICE_OPTION_DURATION(struct config, busy_timeout, .name = "busy_timeout", .fallback = "1s", .min = 0,
                               .max = INT64_C(60000000000), .help = "how long to wait while another process writes"),
	SLUICE_OPTION_SIZE(struct config, checkpoint_size, .name = "checkpoint_size", .fallback = "4MiB", .min = 65536,
                           .max = INT64_C(1) << 30,
                           .help = "write-ahead log that calls for a checkpoint beside the writer"),
	SLUICE_OPTION_SIZE(struct config, wal_limit, .name = "wal_limit", .fallback = "64MiB", .min = 65536,
                           .max = INT64_C(1) << 40,
                           .help = "write-ahead log that makes the writer wait for a checkpoint"),
	SLUICE_OPTION_END,
};

static const struct sluice_persist_ops ops = {
	.store = store_batch, .scan = scan, .audit_scan = audit_scan, .dead_letter = dead_letter};

static const struct sluice_store_maintenance maintenance = {.maintain = maintain, .stats = stats, .drop = drop};
static const struct sluice_dead_letters dead_letters = {.scan = scan_letters, .drop = drop_letter};
static const struct sluice_store_retention retention = {.prune = prune};
static const struct sluice_extension extensions[] = {
	{SLUICE_STORE_MAINTENANCE, &maintenance},
	{SLUICE_DEAD_LETTERS, &dead_letters},
	{SLUICE_STORE_RETENTION, &retention},
	SLUICE_EXTENSION_END,
};

SLUICE_STAGE(persist, ops, .name = "sqlite", .version = SLUICE_VERSION,
             .summary = "stores events in an SQLite file, a batch as one durable transaction", .options = options,
             .config_size = sizeof(struct config), .spans = spans, .check = check, .create = create, .destroy = destroy,
             .observe = observe, .extensions = extensions);
