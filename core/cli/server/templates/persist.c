/*
 * persist/@NAME@: an append-only file, one frame per transaction, synced before anything is said to be kept.
 *
 * A frame is a head with a checksum and, behind it, what was stored. A frame cut short by a crash ends the file as far
 * as readers see, and the next writer cuts it off. All that write, of this process or another, take a lock on the file
 * and first read what the others have added; so the ids, the index and the audit chain need nothing else to be shared.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/stage.h>

enum { MAGIC = 0x31656773, WRITER_SIZE = 32, COVER_SIZE = 8 + SLUICE_DIGEST_SIZE, TEXTS = 5, COMMIT = 0 };
#define ABSENT UINT32_MAX /* as the size of a text that is not there */
enum frame_type { FRAME_EVENTS = 1, FRAME_DEAD_LETTER = 2 };

struct config {
	const char *path;
};

/* As it lies in the file, like the two structs behind it: a store is read on the kind of machine that wrote it. */
struct frame {
	uint32_t magic, type, count, unused; /* of rows */
	uint64_t size, checksum;             /* of what follows the head */
	int64_t position, written_at_ns;     /* of the audit trail, like the next three */
	char writer[WRITER_SIZE];
	uint8_t previous[SLUICE_DIGEST_SIZE], hash[SLUICE_DIGEST_SIZE];
};

struct row {
	int64_t id, sequence, received_at_ns;
	uint32_t sizes[TEXTS]; /* of the texts that follow; message id, type, stream, payload, request id */
	uint8_t has_sequence, unused[3];
	uint8_t digest[SLUICE_DIGEST_SIZE];
};

struct bytes {
	char *data;
	size_t size, room;
};

/* What is known of a stored event, found by its message id. */
struct entry {
	size_t next; /* of the same bucket, counted from 1 */
	uint64_t hash;
	uint8_t digest[SLUICE_DIGEST_SIZE];
	size_t id_size;
	char id[SLUICE_NAME_MAX];
};

enum { BUCKETS = 65536 };

struct store {
	pthread_mutex_t lock; /* the lock on the file is between processes */
	int file;
	off_t end; /* of the last whole frame seen */
	int64_t last_id;
	char writer[WRITER_SIZE + 1];
	int64_t position; /* of this writer's last row in the audit trail, whose hash is: */
	uint8_t head[SLUICE_DIGEST_SIZE];
	struct bytes frame; /* the transaction being made */
	struct entry *entries;
	size_t entry_count, entry_room;
	size_t buckets[BUCKETS];
	atomic_bool in_trouble; /* the last commit failed */
};

/* FNV-1a: says whether a frame was written to its end, nothing more. */
static uint64_t checksum(const void *data, size_t size)
{
	uint64_t sum = UINT64_C(14695981039346656037);
	for (size_t i = 0; i < size; i++)
		sum = (sum ^ ((const unsigned char *)data)[i]) * UINT64_C(1099511628211);
	return sum;
}

static bool add_bytes(struct bytes *bytes, const void *data, size_t size)
{
	if (bytes->room - bytes->size < size) {
		size_t room = 2 * bytes->room + size + 4096;
		char *grown = realloc(bytes->data, room);
		if (!grown)
			return false;
		bytes->data = grown;
		bytes->room = room;
	}
	if (size)
		memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
	return true;
}

/* An event without a message id is like no other. */
static struct entry *find(struct sluice_stage *stage, struct sluice_bytes id)
{
	struct store *store = stage->state;
	if (!id.data)
		return NULL;
	uint64_t hash = stage->host->hash(id.data, id.size);
	for (size_t i = store->buckets[hash % BUCKETS]; i; i = store->entries[i - 1].next) {
		struct entry *entry = &store->entries[i - 1];
		if (entry->hash == hash && entry->id_size == id.size && memcmp(entry->id, id.data, id.size) == 0)
			return entry;
	}
	return NULL;
}

static bool remember(struct sluice_stage *stage, struct sluice_bytes id, const uint8_t *digest)
{
	struct store *store = stage->state;
	if (!id.data)
		return true;
	if (store->entry_count == store->entry_room) {
		size_t room = store->entry_room ? 2 * store->entry_room : 1024;
		struct entry *grown = realloc(store->entries, room * sizeof(*grown));
		if (!grown)
			return false;
		store->entries = grown;
		store->entry_room = room;
	}
	struct entry *entry = &store->entries[store->entry_count++];
	entry->hash = stage->host->hash(id.data, id.size);
	entry->id_size = id.size;
	memcpy(entry->id, id.data, id.size);
	memcpy(entry->digest, digest, SLUICE_DIGEST_SIZE);
	entry->next = store->buckets[entry->hash % BUCKETS];
	store->buckets[entry->hash % BUCKETS] = store->entry_count;
	return true;
}

/* Takes back what a transaction that came to nothing had remembered. */
static void forget_after(struct store *store, size_t count)
{
	while (store->entry_count > count) {
		const struct entry *entry = &store->entries[--store->entry_count];
		store->buckets[entry->hash % BUCKETS] = entry->next;
	}
}

/* Reads the frame at `at`, head and all, into *frame. False: there is none, or not the whole of one. */
static bool read_frame(int file, off_t at, struct bytes *frame)
{
	struct frame head;
	struct stat status;
	frame->size = 0;
	if (fstat(file, &status) != 0 || pread(file, &head, sizeof(head), at) != (ssize_t)sizeof(head) ||
	    head.magic != MAGIC || head.size > (uint64_t)status.st_size || !add_bytes(frame, &head, sizeof(head)))
		return false;
	while (frame->size < sizeof(head) + head.size) {
		char part[65536];
		size_t left = sizeof(head) + head.size - frame->size;
		ssize_t got = pread(file, part, left < sizeof(part) ? left : sizeof(part), at + (off_t)frame->size);
		if (got <= 0 || !add_bytes(frame, part, (size_t)got))
			return false;
	}
	return checksum(frame->data + sizeof(head), head.size) == head.checksum;
}

/* The row at *at of a frame, which then moves on to the next. The checksum has proved that it is there. */
static struct sluice_record read_row(const struct bytes *frame, size_t *at)
{
	struct row row;
	struct sluice_bytes texts[TEXTS];
	memcpy(&row, frame->data + *at, sizeof(row));
	*at += sizeof(row);
	for (int i = 0; i < TEXTS; i++) {
		texts[i] = (struct sluice_bytes){NULL, 0};
		if (row.sizes[i] == ABSENT)
			continue;
		texts[i] = (struct sluice_bytes){frame->data + *at, row.sizes[i]};
		*at += row.sizes[i];
	}
	struct sluice_record record = {.id = row.id,
	                               .message_id = texts[0],
	                               .event_type = texts[1],
	                               .stream = texts[2],
	                               .payload = texts[3],
	                               .request_id = texts[4],
	                               .sequence = row.sequence,
	                               .has_sequence = row.has_sequence,
	                               .received_at_ns = row.received_at_ns};
	memcpy(record.digest, row.digest, SLUICE_DIGEST_SIZE);
	return record;
}

/* What others have added since, or an earlier life. */
static bool catch_up(struct sluice_stage *stage)
{
	struct store *store = stage->state;
	struct bytes frame = {0};
	bool ok = true;
	while (ok && read_frame(store->file, store->end, &frame)) {
		const struct frame *head = (const void *)frame.data;
		size_t at = sizeof(*head);
		for (uint32_t i = 0; ok && head->type == FRAME_EVENTS && i < head->count; i++) {
			struct sluice_record record = read_row(&frame, &at);
			store->last_id = record.id;
			ok = remember(stage, record.message_id, record.digest);
		}
		store->end += (off_t)frame.size;
	}
	free(frame.data);
	return ok && ftruncate(store->file, store->end) == 0;
}

static int open_to_read(struct sluice_stage *stage, struct sluice_error *error)
{
	const struct config *config = stage->config;
	int file = open(config->path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		(void)sluice_error_set(error, "path: %s: cannot be read: %s", config->path, strerror(errno));
	return file;
}

static bool scan(struct sluice_stage *stage, int64_t after_id, sluice_record_fn each, void *context,
                 struct sluice_error *error)
{
	int file = open_to_read(stage, error);
	struct bytes frame = {0};
	bool more = file >= 0;
	for (off_t end = 0; more && read_frame(file, end, &frame); end += (off_t)frame.size) {
		const struct frame *head = (const void *)frame.data;
		size_t at = sizeof(*head);
		for (uint32_t i = 0; more && head->type == FRAME_EVENTS && i < head->count; i++) {
			struct sluice_record record = read_row(&frame, &at);
			more = record.id <= after_id || each(context, &record);
		}
	}
	free(frame.data);
	if (file >= 0)
		(void)close(file);
	return file >= 0;
}

/* What the audit trail's row of a frame lists: each event's id and digest. */
static bool cover_rows(const struct bytes *frame, struct bytes *covers)
{
	const struct frame *head = (const void *)frame->data;
	size_t at = sizeof(*head);
	covers->size = 0;
	for (uint32_t i = 0; i < head->count; i++) {
		struct sluice_record record = read_row(frame, &at);
		uint8_t cover[COVER_SIZE];
		for (int byte = 0; byte < 8; byte++)
			cover[byte] = (uint8_t)((uint64_t)record.id >> (56 - 8 * byte));
		memcpy(cover + 8, record.digest, SLUICE_DIGEST_SIZE);
		if (!add_bytes(covers, cover, sizeof(cover)))
			return false;
	}
	return true;
}

static struct sluice_audit_row audit_row(const struct frame *head, const struct bytes *covers)
{
	struct sluice_audit_row row = {.writer = {head->writer, WRITER_SIZE},
	                               .position = head->position,
	                               .written_at_ns = head->written_at_ns,
	                               .covers = {covers->data, covers->size}};
	memcpy(row.previous, head->previous, SLUICE_DIGEST_SIZE);
	memcpy(row.hash, head->hash, SLUICE_DIGEST_SIZE);
	return row;
}

/* The rows of one writer, from the frame at `at` on, which is its first. */
static bool scan_writer(int file, off_t at, const char *writer, sluice_audit_fn each, void *context)
{
	struct bytes frame = {0}, covers = {0};
	bool more = true;
	for (; more && read_frame(file, at, &frame); at += (off_t)frame.size) {
		const struct frame *head = (const void *)frame.data;
		if (head->type != FRAME_EVENTS || memcmp(head->writer, writer, WRITER_SIZE) != 0)
			continue;
		more = cover_rows(&frame, &covers);
		if (more) {
			struct sluice_audit_row row = audit_row(head, &covers);
			more = each(context, &row);
		}
	}
	free(covers.data);
	free(frame.data);
	return more;
}

static bool audit_scan(struct sluice_stage *stage, sluice_audit_fn each, void *context, struct sluice_error *error)
{
	int file = open_to_read(stage, error);
	struct bytes frame = {0};
	bool more = file >= 0;
	for (off_t at = 0; more && read_frame(file, at, &frame); at += (off_t)frame.size) {
		const struct frame *head = (const void *)frame.data;
		if (head->type == FRAME_EVENTS && head->position == 1)
			more = scan_writer(file, at, head->writer, each, context);
	}
	free(frame.data);
	if (file >= 0)
		(void)close(file);
	return file >= 0;
}

static bool add_row(struct store *store, struct sluice_event *event, int64_t id)
{
	const struct sluice_bytes texts[TEXTS] = {event->message_id, event->event_type, event->stream, event->payload,
	                                          event->request_id};
	struct row row = {.id = id,
	                  .sequence = event->sequence,
	                  .received_at_ns = event->received_at_ns,
	                  .has_sequence = event->has_sequence};
	for (int i = 0; i < TEXTS; i++)
		row.sizes[i] = texts[i].data ? (uint32_t)texts[i].size : ABSENT;
	memcpy(row.digest, sluice_digest(event), SLUICE_DIGEST_SIZE);
	bool ok = add_bytes(&store->frame, &row, sizeof(row));
	for (int i = 0; ok && i < TEXTS; i++)
		ok = add_bytes(&store->frame, texts[i].data, texts[i].size);
	return ok;
}

static void begin_frame(struct store *store, enum frame_type type)
{
	struct frame head = {.magic = MAGIC, .type = type};
	store->frame.size = 0;
	(void)add_bytes(&store->frame, &head, sizeof(head)); /* create() has made the room */
}

/* Ends the chain's new row with its hash. */
static bool seal(struct sluice_stage *stage, struct frame *head)
{
	struct store *store = stage->state;
	struct bytes covers = {0};
	if (!cover_rows(&store->frame, &covers)) {
		free(covers.data);
		return false;
	}
	head->position = store->position + 1;
	head->written_at_ns = stage->host->wall_ns() / 1000 * 1000;
	memcpy(head->writer, store->writer, WRITER_SIZE);
	memcpy(head->previous, store->head, SLUICE_DIGEST_SIZE);
	struct sluice_audit_row row = audit_row(head, &covers);
	stage->host->audit_hash(&row, head->hash);
	free(covers.data);
	return true;
}

/* Writes the frame and syncs it; otherwise the file is as it was before. */
static bool commit_frame(struct store *store)
{
	struct frame *head = (void *)store->frame.data;
	head->size = store->frame.size - sizeof(*head);
	head->checksum = checksum(store->frame.data + sizeof(*head), head->size);
	size_t done = 0;
	while (done < store->frame.size) {
		ssize_t count = pwrite(store->file, store->frame.data + done, store->frame.size - done,
		                       store->end + (off_t)done);
		if (count < 0 && errno != EINTR)
			break;
		done += count > 0 ? (size_t)count : 0;
	}
	bool failed = done < store->frame.size || fdatasync(store->file) != 0;
	atomic_store(&store->in_trouble, failed);
	if (failed) {
		(void)!ftruncate(store->file, store->end);
		return false;
	}
	store->end += (off_t)store->frame.size;
	return true;
}

/* Adds the event to the transaction, unless its id is there already. */
static enum sluice_verdict store_event(struct sluice_stage *stage, struct sluice_event *event, int64_t *last_id)
{
	struct store *store = stage->state;
	const struct entry *known = find(stage, event->message_id);
	if (known && memcmp(known->digest, sluice_digest(event), SLUICE_DIGEST_SIZE) == 0)
		return SLUICE_DONE;
	if (known)
		return sluice_conflict(event,
		                       "an event with this message id and a different content is already stored");
	size_t before = store->frame.size;
	if (!add_row(store, event, *last_id + 1) || !remember(stage, event->message_id, sluice_digest(event))) {
		store->frame.size = before;
		return sluice_retry(event, 0, "out of memory");
	}
	((struct frame *)(void *)store->frame.data)->count++;
	++*last_id;
	return SLUICE_PASS;
}

static bool lock_file(struct sluice_stage *stage)
{
	struct store *store = stage->state;
	(void)pthread_mutex_lock(&store->lock);
	while (flock(store->file, LOCK_EX) != 0) {
		if (errno != EINTR)
			return false;
	}
	return catch_up(stage);
}

static void unlock_file(struct store *store)
{
	(void)flock(store->file, LOCK_UN);
	(void)pthread_mutex_unlock(&store->lock);
}

/* What the frame holds is committed, or nothing of it is. */
static bool commit(struct sluice_stage *stage, int64_t last_id)
{
	struct store *store = stage->state;
	struct frame *head = (void *)store->frame.data;
	if (head->count == 0)
		return true;
	if (!seal(stage, head) || !commit_frame(store))
		return false;
	store->last_id = last_id;
	store->position = head->position;
	memcpy(store->head, head->hash, SLUICE_DIGEST_SIZE);
	return true;
}

static void store_batch(struct sluice_stage *stage, struct sluice_batch *batch)
{
	struct store *store = stage->state;
	bool ok = lock_file(stage);
	int64_t last_id = store->last_id, began_ns = 0;
	size_t known = store->entry_count;
	begin_frame(store, FRAME_EVENTS);
	for (size_t i = 0; ok && i < batch->count; i++)
		batch->verdicts[i] = store_event(stage, batch->events[i], &last_id);
	began_ns = stage->host->now_ns();
	ok = ok && commit(stage, last_id);
	sluice_batch_span(stage, batch, COMMIT, stage->host->now_ns() - began_ns);
	if (!ok)
		forget_after(store, known);
	unlock_file(store);
	for (size_t i = 0; !ok && i < batch->count; i++)
		batch->verdicts[i] = sluice_retry(batch->events[i], 0, "the file cannot be written");
}

static bool dead_letter(struct sluice_stage *stage, struct sluice_event *event, const char *reason,
                        struct sluice_error *error)
{
	struct store *store = stage->state;
	bool ok = lock_file(stage);
	begin_frame(store, FRAME_DEAD_LETTER);
	((struct frame *)(void *)store->frame.data)->count = 1;
	ok = ok && add_row(store, event, 0) && add_bytes(&store->frame, reason, strlen(reason)) && commit_frame(store);
	unlock_file(store);
	return ok || sluice_error_set(error, "the file cannot be written");
}

static void destroy(struct sluice_stage *stage)
{
	struct store *store = stage->state;
	if (store->file >= 0)
		(void)close(store->file);
	(void)pthread_mutex_destroy(&store->lock);
	free(store->frame.data);
	free(store->entries);
	free(store);
}

/* A new file is only kept once its folder is. */
static bool sync_folder(const char *path)
{
	char copy[PATH_MAX];
	(void)snprintf(copy, sizeof(copy), "%s", path);
	int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = folder >= 0 && fsync(folder) == 0;
	if (folder >= 0)
		(void)close(folder);
	return ok;
}

static bool open_to_write(struct sluice_stage *stage, struct sluice_error *error)
{
	const struct config *config = stage->config;
	struct store *store = stage->state;
	static const struct frame room;
	uint8_t random[WRITER_SIZE / 2];
	stage->host->random(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		(void)snprintf(store->writer + 2 * i, 3, "%02x", random[i]);
	store->file = open(config->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (store->file < 0 || !sync_folder(config->path))
		return sluice_error_set(error, "path: %s: cannot be written: %s", config->path, strerror(errno));
	bool ok = lock_file(stage) && add_bytes(&store->frame, &room, sizeof(room));
	unlock_file(store);
	return ok || sluice_error_set(error, "path: %s: cannot be read to its end: %s", config->path, strerror(errno));
}

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return sluice_error_set(error, "out of memory");
	stage->state = store;
	store->file = -1;
	(void)pthread_mutex_init(&store->lock, NULL);
	int readable = stage->read_only ? open_to_read(stage, error) : -1;
	if (stage->read_only && readable >= 0)
		(void)close(readable);
	if (stage->read_only ? readable >= 0 : open_to_write(stage, error))
		return true;
	destroy(stage);
	stage->state = NULL;
	return false;
}

static bool check(const void *config_, struct sluice_error *error)
{
	const struct config *config = config_;
	return config->path[0] || sluice_error_set(error, "path: expected a file name, got nothing");
}

static void observe(struct sluice_stage *stage, struct sluice_observer *observer)
{
	struct store *store = stage->state;
	struct stat status;
	if (store->file >= 0 && fstat(store->file, &status) == 0)
		observer->gauge(observer, "db_size_bytes", NULL, NULL, (double)status.st_size,
		                "Size of the store's file.");
	if (atomic_load(&store->in_trouble))
		observer->unhealthy(observer, "the file could not be written");
}

static bool count_one(void *count, const struct sluice_record *record)
{
	(void)record;
	++*(size_t *)count;
	return true;
}

static bool stats(struct sluice_stage *stage, struct sluice_observer *observer, struct sluice_error *error)
{
	const struct config *config = stage->config;
	struct stat status;
	size_t count = 0;
	if (!scan(stage, 0, count_one, &count, error))
		return false;
	observer->gauge(observer, "db_table_rows", NULL, NULL, (double)count, "Events in the store.");
	if (stat(config->path, &status) == 0)
		observer->gauge(observer, "db_size_bytes", NULL, NULL, (double)status.st_size,
		                "Size of the store's file.");
	return true;
}

static bool drop(struct sluice_stage *stage, struct sluice_error *error)
{
	const struct config *config = stage->config;
	if (!sluice_is_lab_location(config->path))
		return sluice_error_set(
			error, "path: only a file whose name begins with " SLUICE_LAB_PREFIX " may be erased, not %s",
			config->path);
	return unlink(config->path) == 0 || errno == ENOENT ||
	       sluice_error_set(error, "path: %s: cannot be removed: %s", config->path, strerror(errno));
}

static const char *const spans[] = {[COMMIT] = "commit", NULL};

static const struct sluice_option options[] = {
	SLUICE_OPTION_STRING(struct config, path, .name = "path", .fallback = "@NAME@.events",
                             .flags = SLUICE_OPTION_LOCATION | SLUICE_OPTION_FILE,
                             .help = "the file; created if there is none"),
	SLUICE_OPTION_END,
};

static const struct sluice_persist_ops ops = {
	.store = store_batch, .scan = scan, .audit_scan = audit_scan, .dead_letter = dead_letter};

static const struct sluice_store_maintenance maintenance = {.stats = stats, .drop = drop};
static const struct sluice_extension extensions[] = {
	{SLUICE_STORE_MAINTENANCE, &maintenance},
	SLUICE_EXTENSION_END,
};

SLUICE_STAGE(persist, ops, .name = "@NAME@", .version = "0.1.0",
             .summary = "appends events to a file, a batch as one durable transaction", .options = options,
             .config_size = sizeof(struct config), .spans = spans, .check = check, .create = create, .observe = observe,
             .destroy = destroy, .extensions = extensions);
