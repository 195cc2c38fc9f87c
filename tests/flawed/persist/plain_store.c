/*
 * A plain file as a store, and what can be wrong with one. Each stage of this folder is it with one of the flaws of
 * plain_store.h; without a flaw it keeps every promise of its kind.
 *
 * The file, of which plain_file.h tells, is read anew for every batch: slow, and always right.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sluice/stage.h>

#include "plain_file.h"
#include "plain_letters.h"
#include "plain_store.h"

#include "../meet.h"

enum { FILE_RECORDS = 150 /* of what stands for a file */ };
struct config {
	const char *path;
};

struct store {
	pthread_mutex_t lock;
	char writer[WRITER_SIZE + 1];
	int64_t position;
	uint8_t head[SLUICE_DIGEST_SIZE];
	size_t first_own;     /* how many events the store held at the start of this life */
	struct text *pending; /* ACKNOWLEDGES_FIRST: what is not written yet */
	int link[2];          /* IGNORES_A_CUT */
};

static const char *path_of(const struct sluice_stage *stage)
{
	return ((const struct config *)stage->config)->path;
}

static void digest_of(struct sluice_event *event, uint8_t digest[SLUICE_DIGEST_SIZE])
{
	struct sluice_record record = {.payload = event->payload};
	if (flaw == DIGESTS_THE_PAYLOAD)
		event->host->record_digest(&record, digest);
	else
		memcpy(digest, sluice_digest(event), SLUICE_DIGEST_SIZE);
}

static void write_event(struct text *text, struct sluice_event *event, int64_t id)
{
	struct sluice_record record = record_of(event, id);
	digest_of(event, record.digest);
	if (flaw == EMPTIES_WHAT_IS_ABSENT && !record.stream.data)
		record.stream.data = "";
	if (flaw == CUTS_AT_NUL)
		record.payload.size = strnlen(record.payload.data, record.payload.size);
	if (flaw == ROUNDS_SEQUENCES)
		record.sequence = record.sequence / 1024 * 1024;
	frame_write_event(text, &record);
}

static void add_cover(struct text *covers, struct sluice_event *event, int64_t id)
{
	uint8_t cover[COVER_SIZE];
	if (flaw == COVERS_THE_FIRST && covers->size > 0)
		return;
	for (int i = 0; i < 8; i++)
		cover[i] = (uint8_t)((uint64_t)id >> (56 - 8 * i));
	digest_of(event, cover + 8);
	text_add(covers, cover, sizeof(cover));
}

static void write_audit_row(struct sluice_stage *stage, struct text *text, const struct text *covers)
{
	struct store *store = stage->state;
	struct sluice_audit_row row = {.writer = {store->writer, WRITER_SIZE},
	                               .position = store->position + 1,
	                               .written_at_ns = stage->host->wall_ns() / 1000 * 1000,
	                               .covers = {covers->data, covers->size}};
	if (flaw != BREAKS_THE_CHAIN)
		memcpy(row.previous, store->head, sizeof(row.previous));
	stage->host->audit_hash(&row, row.hash);
	struct audit_frame frame = {.frame = {FRAME_AUDIT, (int32_t)(sizeof(frame) + covers->size)},
	                            .position = row.position,
	                            .written_at_ns = row.written_at_ns};
	memcpy(frame.writer, store->writer, WRITER_SIZE);
	memcpy(frame.previous, row.previous, sizeof(frame.previous));
	memcpy(frame.hash, row.hash, sizeof(frame.hash));
	text_add(text, &frame, sizeof(frame));
	text_add(text, covers->data, covers->size);
}

static void advance_chain(struct store *store, const struct text *text, size_t covers_size)
{
	struct audit_frame frame;
	memcpy(&frame, text->data + text->size - covers_size - sizeof(frame), sizeof(frame));
	memcpy(store->head, frame.hash, sizeof(store->head));
	store->position++;
}

static bool has_id(const struct sluice_event *event, struct sluice_bytes id)
{
	return event->message_id.data && id.data && sluice_bytes_equal(event->message_id, id);
}

/* The stored event with that id. */
static const struct sluice_record *find(const struct store *store, const struct contents *contents,
                                        const struct sluice_event *event)
{
	size_t first = flaw == FORGETS_IDS ? store->first_own : 0;
	if (flaw == KNOWS_ITS_NEWEST_FILE)
		first = contents->record_count / FILE_RECORDS * FILE_RECORDS;
	return contents_find(contents, first, event->message_id);
}

static enum sluice_verdict compare(struct sluice_event *event, const uint8_t *digest)
{
	uint8_t own[SLUICE_DIGEST_SIZE];
	digest_of(event, own);
	if (memcmp(own, digest, SLUICE_DIGEST_SIZE) == 0)
		return SLUICE_DONE;
	if (flaw == REJECTS_A_CONFLICT)
		return sluice_reject(event, 422, "this message id is stored");
	return flaw == OVERWRITES ? SLUICE_PASS
	                          : sluice_conflict(event, "this message id is stored with a different content");
}

static enum sluice_verdict decide(const struct store *store, const struct contents *contents,
                                  const struct sluice_batch *batch, size_t i)
{
	struct sluice_event *event = batch->events[i];
	struct sluice_bytes id = event->message_id;
	if (id.size && memchr(id.data, '\0', id.size))
		return sluice_fail(event, "a NUL in the message id");
	if (flaw == STORES_DUPLICATES)
		return SLUICE_PASS;
	const struct sluice_record *record = find(store, contents, event);
	if (record && flaw == MISSES_LATE_CONFLICTS && i >= 3)
		return SLUICE_DONE;
	if (record)
		return compare(event, record->digest);
	for (size_t earlier = 0; earlier < i && flaw != MISSES_TWINS; earlier++) {
		uint8_t digest[SLUICE_DIGEST_SIZE];
		digest_of(batch->events[earlier], digest);
		if (batch->verdicts[earlier] == SLUICE_PASS && has_id(event, batch->events[earlier]->message_id))
			return compare(event, digest);
	}
	return SLUICE_PASS;
}

static void decide_all(const struct store *store, const struct contents *contents, struct sluice_batch *batch)
{
	bool stopped = false;
	for (size_t i = 0; i < batch->count; i++) {
		batch->verdicts[i] = stopped ? sluice_fail(batch->events[i], "an event before it was refused")
		                             : decide(store, contents, batch, i);
		stopped = flaw == STOPS_AT_POISON && batch->verdicts[i] == SLUICE_FAIL;
	}
}

static bool is_stored(const struct sluice_batch *batch, size_t i)
{
	bool is_forgotten = flaw == FORGETS_THE_LAST && batch->count > 1 && i == batch->count - 1;
	return batch->verdicts[i] == SLUICE_PASS && !is_forgotten;
}

static void write_events(const struct store *store, const struct contents *contents, const struct sluice_batch *batch,
                         struct text *text, struct text *covers)
{
	int64_t next = (int64_t)contents->record_count + 1;
	for (size_t n = 0; n < batch->count; n++) {
		size_t i = flaw == REORDERS ? batch->count - 1 - n : n;
		if (!is_stored(batch, i))
			continue;
		const struct sluice_record *old = flaw == OVERWRITES ? find(store, contents, batch->events[i]) : NULL;
		int64_t id = old ? old->id : next++;
		write_event(text, batch->events[i], id);
		add_cover(covers, batch->events[i], id);
	}
}

static void postpone(struct sluice_batch *batch, const char *why)
{
	for (size_t i = 0; i < batch->count; i++) {
		if (flaw == KEEPS_TWINS_DONE ? batch->verdicts[i] == SLUICE_PASS : batch->verdicts[i] != SLUICE_FAIL)
			batch->verdicts[i] = sluice_retry(batch->events[i], 0, "%s", why);
	}
}

static void let_others_in(struct store *store)
{
	(void)pthread_mutex_unlock(&store->lock);
	meet();
	(void)pthread_mutex_lock(&store->lock);
}

/* The connection is of no use but to be cut. */
static bool was_cut(struct store *store)
{
	if (flaw != IGNORES_A_CUT || send(store->link[0], "", 1, MSG_NOSIGNAL) == 1)
		return false;
	(void)close(store->link[0]);
	(void)close(store->link[1]);
	(void)!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, store->link);
	return true;
}

static void write_pending(struct sluice_stage *stage)
{
	struct store *store = stage->state;
	struct contents contents;
	if (!store->pending || !contents_read(path_of(stage), &contents, NULL))
		return;
	(void)file_append(path_of(stage), contents.valid_size, store->pending);
	contents_finish(&contents);
	free(store->pending->data);
	free(store->pending);
	store->pending = NULL;
}

static bool keep(struct sluice_stage *stage, size_t end, const struct text *text)
{
	struct store *store = stage->state;
	if (was_cut(store))
		return true;
	if (flaw != ACKNOWLEDGES_FIRST)
		return file_append(path_of(stage), end, text);
	store->pending = calloc(1, sizeof(*store->pending));
	text_add(store->pending, text->data, text->size);
	return true;
}

/* One transaction, under the lock. */
static void transact(struct sluice_stage *stage, struct sluice_batch *batch)
{
	struct store *store = stage->state;
	struct contents contents;
	struct text text = {0}, covers = {0};
	write_pending(stage);
	if (!contents_read(path_of(stage), &contents, NULL)) {
		for (size_t i = 0; i < batch->count; i++)
			batch->verdicts[i] = sluice_retry(batch->events[i], 0, "the file could not be read");
		return;
	}
	decide_all(store, &contents, batch);
	if (flaw == CHECKS_THEN_INSERTS) {
		contents_finish(&contents);
		let_others_in(store);
		(void)contents_read(path_of(stage), &contents, NULL);
	}
	write_events(store, &contents, batch, &text, &covers);
	if (flaw == WRITES_UNLOCKED)
		let_others_in(store);
	if (covers.size > 0) {
		write_audit_row(stage, &text, &covers);
		if (keep(stage, contents.valid_size, &text))
			advance_chain(store, &text, covers.size);
		else
			postpone(batch, "the file could not be written");
	}
	free(text.data);
	free(covers.data);
	contents_finish(&contents);
}

/* Against other processes; they come one after another. */
static int lock_file(const struct config *config)
{
	bool lets_others_in = flaw == IGNORES_OTHERS || flaw == WRITES_UNLOCKED || flaw == CHECKS_THEN_INSERTS;
	int guard = lets_others_in ? -1 : open(file_path(config->path), O_RDWR | O_CLOEXEC);
	if (guard >= 0)
		(void)flock(guard, LOCK_EX);
	return guard;
}

static void store_batch(struct sluice_stage *stage, struct sluice_batch *batch)
{
	struct store *store = stage->state;
	(void)pthread_mutex_lock(&store->lock);
	int guard = lock_file(stage->config);
	size_t step = flaw == STORES_PAST_A_RETRY ? 1 : batch->count;
	for (size_t i = 0; i < batch->count; i += step) {
		struct sluice_batch part = {&batch->events[i], &batch->verdicts[i], step, batch->worker};
		transact(stage, &part);
	}
	if (guard >= 0)
		(void)close(guard);
	(void)pthread_mutex_unlock(&store->lock);
}

static bool scan(struct sluice_stage *stage, int64_t after_id, sluice_record_fn each, void *context,
                 struct sluice_error *error)
{
	struct contents contents;
	if (!stage->read_only)
		write_pending(stage);
	if (!contents_read(path_of(stage), &contents, error))
		return false;
	for (size_t n = 0; n < contents.record_count; n++) {
		size_t i = flaw == SCANS_UNSORTED ? contents.record_count - 1 - n : n;
		if (contents.records[i].id <= after_id && flaw != SCANS_FROM_THE_START)
			continue;
		if (!each(context, &contents.records[i]) && flaw != SCANS_ON)
			break;
	}
	contents_finish(&contents);
	return true;
}

/* Two processes may have written in turn. */
static int by_writer(const void *a, const void *b)
{
	const struct sluice_audit_row *left = a, *right = b;
	int order = memcmp(left->writer.data, right->writer.data, WRITER_SIZE);
	return order ? order : (left->position > right->position) - (left->position < right->position);
}

static bool audit_scan(struct sluice_stage *stage, sluice_audit_fn each, void *context, struct sluice_error *error)
{
	struct contents contents;
	if (!contents_read(path_of(stage), &contents, error))
		return false;
	qsort(contents.rows, contents.row_count, sizeof(*contents.rows), by_writer);
	for (size_t i = 0; i < contents.row_count && each(context, &contents.rows[i]); i++)
		;
	contents_finish(&contents);
	return true;
}

/* To a file beside the store. */
static bool dead_letter(struct sluice_stage *stage, struct sluice_event *event, const char *reason,
                        struct sluice_error *error)
{
	const struct config *config = stage->config;
	char path[1024];
	if (flaw == STORES_THE_DEAD) {
		enum sluice_verdict verdict;
		store_batch(stage, &(struct sluice_batch){&event, &verdict, 1, NULL});
		return true;
	}
	(void)snprintf(path, sizeof(path), "%s.dead", config->path);
	return letters_add(path, event, reason, error);
}

static bool scan_letters(struct sluice_stage *stage, int64_t after_id, sluice_letter_fn each, void *context,
                         struct sluice_error *error)
{
	const struct config *config = stage->config;
	char path[1024];
	(void)snprintf(path, sizeof(path), "%s.dead", config->path);
	return letters_scan(path, after_id, each, context, error);
}

static bool drop_letter(struct sluice_stage *stage, int64_t id, struct sluice_error *error)
{
	const struct config *config = stage->config;
	char path[1024];
	(void)snprintf(path, sizeof(path), "%s.dead", config->path);
	return letters_drop(path, id, error);
}

/* FORGETS_WHEN_KILLED: beside the store stands its size at the start of the life that has it. */
static void forget_last_life(const struct config *config, const struct contents *contents)
{
	char mark[1024];
	unsigned long long size = 0;
	(void)snprintf(mark, sizeof(mark), "%s.mark", config->path);
	FILE *file = fopen(mark, "r");
	if (file && fscanf(file, "%llu", &size) == 1)
		(void)!truncate(config->path, (off_t)size);
	else
		size = contents->valid_size;
	if (file)
		(void)fclose(file);
	file = fopen(mark, "w");
	(void)fprintf(file, "%llu\n", size);
	(void)fclose(file);
}

static void end_in_order(const struct config *config)
{
	char mark[1024];
	(void)snprintf(mark, sizeof(mark), "%s.mark", config->path);
	(void)unlink(mark);
}

static bool maintain(struct sluice_stage *stage, struct sluice_error *error)
{
	const struct config *config = stage->config;
	struct contents contents;
	if (!contents_read(config->path, &contents, error))
		return false;
	if (flaw == LOSES_ROWS_WHEN_MAINTAINED)
		(void)!truncate(config->path, (off_t)(contents.valid_size / 2));
	contents_finish(&contents);
	return true; /* each batch is written back at once */
}

static void log_stats(size_t count)
{
	FILE *file = fopen("stats", "a");
	if (!file)
		return;
	(void)fprintf(file, "%zu\n", count);
	(void)fclose(file);
}

static bool stats(struct sluice_stage *stage, struct sluice_observer *observer, struct sluice_error *error)
{
	const struct config *config = stage->config;
	struct contents contents;
	if (!contents_read(config->path, &contents, error))
		return false;
	if (flaw != SHOWS_NO_STATS)
		observer->gauge(observer, "db_table_rows", NULL, NULL, (double)contents.record_count, "Rows.");
	if (flaw == WRITES_ITS_STATS)
		log_stats(contents.record_count);
	contents_finish(&contents);
	return true;
}

static bool drop(struct sluice_stage *stage, struct sluice_error *error)
{
	const struct config *config = stage->config;
	if (!sluice_is_lab_location(config->path) && flaw != DROPS_ANYTHING)
		return sluice_error_set(error, "path: %s is not a location made for a laboratory", config->path);
	return flaw == DROPS_NOTHING || unlink(file_path(config->path)) == 0 ||
	       sluice_error_set(error, "path: %s: %s", config->path, strerror(errno));
}

/* FORGETS_BY_THE_CLOCK: the whole file, when its first event is old. */
static void forget_old_days(const struct sluice_stage *stage, const struct contents *contents)
{
	if (contents->record_count > 0 &&
	    stage->host->wall_ns() - contents->records[0].received_at_ns > INT64_C(86400000000000))
		(void)!truncate(path_of(stage), 0);
}

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	uint8_t random[WRITER_SIZE / 2];
	struct contents contents;
	bool makes_file = !stage->read_only || flaw == CREATES_WHAT_IT_READS;
	if ((makes_file && !file_make(path_of(stage), error)) || !contents_read(path_of(stage), &contents, error))
		return false;
	struct store *store = calloc(1, sizeof(*store));
	(void)pthread_mutex_init(&store->lock, NULL);
	store->first_own = contents.record_count;
	stage->host->random(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		(void)snprintf(store->writer + 2 * i, 3, "%02x", random[i]);
	if (flaw == IGNORES_A_CUT)
		(void)!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, store->link);
	if (flaw == FORGETS_WHEN_KILLED && !stage->read_only)
		forget_last_life(stage->config, &contents);
	if (flaw == FORGETS_BY_THE_CLOCK && !stage->read_only)
		forget_old_days(stage, &contents);
	contents_finish(&contents);
	stage->state = store;
	if (!stage->read_only)
		sluice_announce_store(stage, flaw == ANNOUNCES_ITS_PATH ? path_of(stage) : store->writer);
	return true;
}

static void log_head(struct sluice_stage *stage)
{
	const struct store *store = stage->state;
	char hash[2 * SLUICE_DIGEST_SIZE + 1];
	for (size_t i = 0; i < SLUICE_DIGEST_SIZE; i++)
		(void)snprintf(hash + 2 * i, 3, "%02x", store->head[i]);
	sluice_log(stage, SLUICE_LOG_INFO, "audit_head", sluice_text("writer", store->writer),
	           sluice_int("position", store->position), sluice_text("hash", hash));
}

static void destroy(struct sluice_stage *stage)
{
	struct store *store = stage->state;
	write_pending(stage);
	if (store->position > 0 && flaw != LOGS_NO_HEAD)
		log_head(stage);
	if (flaw == IGNORES_A_CUT) {
		(void)close(store->link[0]);
		(void)close(store->link[1]);
	}
	if (flaw == FORGETS_WHEN_KILLED && !stage->read_only)
		end_in_order(stage->config);
	(void)pthread_mutex_destroy(&store->lock);
	free(store);
}

static const struct sluice_option options[] = {
	SLUICE_OPTION_STRING(struct config, path, .name = "path", .fallback = "store",
                             .flags = SLUICE_OPTION_LOCATION | SLUICE_OPTION_FILE, .help = "the file"),
	SLUICE_OPTION_END,
};

static const struct sluice_persist_ops ops = {
	.store = store_batch, .scan = scan, .audit_scan = audit_scan, .dead_letter = dead_letter};

static const struct sluice_store_maintenance maintenance = {.maintain = maintain, .stats = stats, .drop = drop};
static const struct sluice_dead_letters dead_letters = {.scan = scan_letters, .drop = drop_letter};
static const struct sluice_extension extensions[] = {
	{SLUICE_STORE_MAINTENANCE, &maintenance},
	{SLUICE_DEAD_LETTERS, &dead_letters},
	SLUICE_EXTENSION_END,
};

SLUICE_STAGE(persist, ops, .name = "plain_store", .version = "1.0.0", .summary = "a plain file", .options = options,
             .config_size = sizeof(struct config), .create = create, .destroy = destroy, .extensions = extensions);
