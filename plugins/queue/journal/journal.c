/*
 * queue/journal: a durable queue on the local disk. An event is acknowledged when it is synced, together with all that
 * came while the sync before it ran; it is stored later. How it works stands in journal.h, its files in format.h.
 */
#include "journal.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"
#include "folder/volatile.h"

enum durability { DURABILITY_STRICT, DURABILITY_RELAXED };

static bool check(const void *options, struct sluice_error *error)
{
	const struct config *config = options;
	size_t length = strlen(config->directory);
	if (length == 0 || length >= PATH_MAX - SEGMENT_NAME_SIZE)
		return sluice_error_set(error, "directory: expected a path of 1 to %zu bytes, got %zu",
		                        (size_t)PATH_MAX - SEGMENT_NAME_SIZE - 1, length);
	if (config->max_size < 2 * config->segment_size)
		return sluice_error_set(error, "max_size: expected at least two segments (%llu bytes), got %llu",
		                        2 * (unsigned long long)config->segment_size,
		                        (unsigned long long)config->max_size);
	return true;
}

static bool self_test(struct sluice_error *error)
{
	uint32_t checksum = crc32c(0, "123456789", 9);
	return checksum == 0xe3069283 ||
	       sluice_error_set(error, "CRC-32C of 123456789: expected e3069283, got %08x", checksum);
}

static bool open_directory(struct journal *journal, struct sluice_error *error)
{
	const struct config *config = journal->config;
	if (!directory_open(&journal->directory, config->directory, error))
		return false;
	if (config->durability == DURABILITY_RELAXED || !folder_is_volatile(config->directory))
		return true;
	directory_close(&journal->directory);
	return sluice_error_set(
		error,
		"directory: the folder %s is kept in memory (tmpfs) and loses acknowledged events when the power fails: use a disk, or say `durability: relaxed`",
		config->directory);
}

static bool read_earlier_life(struct journal *journal, struct sluice_error *error)
{
	struct recovery recovery;
	if (!recovery_read(&recovery, &journal->directory, error))
		return false;
	if (recovery.has_journal)
		memcpy(journal->id, recovery.journal, JOURNAL_ID_SIZE);
	else
		journal->stage->host->random(journal->id, JOURNAL_ID_SIZE);
	journal->segments = recovery.segments;
	journal->last_number = recovery.last_number;
	backlog_adopt(&journal->reader, &recovery.backlog);
	journal->inside = recovery.backlog.count;
	if (recovery.cut)
		sluice_log(journal->stage, SLUICE_LOG_WARN, "journal_tail_cut",
		           sluice_text("directory", journal->config->directory),
		           sluice_int("segments", (int64_t)recovery.cut));
	return true;
}

static void free_journal(struct journal *journal)
{
	recovery_free_segments(journal->segments);
	marks_finish(&journal->marks);
	backlog_finish(&journal->reader);
	(void)pthread_cond_destroy(&journal->work);
	(void)pthread_mutex_destroy(&journal->lock);
	free(journal);
}

static struct journal *new_journal(struct sluice_stage *stage)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	if (!journal)
		return NULL;
	journal->stage = stage;
	journal->config = stage->config;
	backlog_init(&journal->reader);
	pthread_condattr_t attributes;
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&journal->work, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	(void)pthread_mutex_init(&journal->lock, NULL);
	return journal;
}

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	struct journal *journal = new_journal(stage);
	if (!journal)
		return sluice_error_set(error, "out of memory");
	if (!open_directory(journal, error))
		goto free_journal;
	if (!read_earlier_life(journal, error) || !writer_start(journal, error))
		goto close_directory;
	stage->state = journal;
	return true;

close_directory:
	directory_close(&journal->directory);
free_journal:
	free_journal(journal);
	return false;
}

static void destroy(struct sluice_stage *stage)
{
	struct journal *journal = stage->state;
	writer_stop(journal);
	place_list_free(&journal->ready);
	directory_close(&journal->directory);
	free_journal(journal);
}

/* Why nothing is accepted now, or NULL. Under the lock. */
static const char *find_bound(const struct journal *journal)
{
	if (journal->inside >= (size_t)journal->config->capacity)
		return "the journal is full: capacity is reached";
	if (journal->is_full && journal_now_ns() < journal->retry_at_ns)
		return "the journal is full: max_size is reached";
	if (journal->trouble[0] && journal_now_ns() < journal->retry_at_ns)
		return "the journal cannot be written";
	return NULL;
}

static enum sluice_verdict put(struct sluice_stage *stage, struct sluice_event *event)
{
	struct journal *journal = stage->state;
	struct inside *inside = calloc(1, sizeof(*inside));
	if (!inside)
		return sluice_retry(event, 0, "out of memory");
	*inside = (struct inside){.place = {.event = event}, .size = format_event_size(event)};
	if (!inside->size || writer_segment_size(journal->config, inside->size) > journal->config->max_size) {
		free(inside);
		return sluice_retry(event, 0, "the event is larger than the journal takes: raise max_size");
	}
	(void)sluice_digest(event); /* here, where several threads are at it, not by the writer */
	(void)pthread_mutex_lock(&journal->lock);
	const char *bound = find_bound(journal);
	if (!bound) {
		bool is_first = !journal->pending.first;
		place_list_append(&journal->pending, &inside->place);
		journal->inside++;
		if (is_first)
			(void)pthread_cond_signal(&journal->work);
	}
	(void)pthread_mutex_unlock(&journal->lock);
	if (!bound)
		return SLUICE_WAIT;
	free(inside);
	return sluice_retry(event, 0, "%s", bound);
}

/* Whether what take() yields is only rejected, for the next life: then nothing has to wait for anything. */
static bool is_stopped(struct sluice_stage *stage)
{
	const struct sluice_stopped *stopped = stage->host->extension(SLUICE_STOPPED);
	return stopped && stopped->is_stopped(stage);
}

static size_t take(struct sluice_stage *stage, struct sluice_event **events, size_t max)
{
	struct journal *journal = stage->state;
	struct backlog_reader *reader = &journal->reader;
	bool stopped = is_stopped(stage), waits = false;
	size_t count = stopped ? 0 : backlog_take(journal, events, max, &waits);
	struct place *place;
	(void)pthread_mutex_lock(&journal->lock);
	if (count || stopped)
		place_list_prepend(&journal->ready, &reader->behind);
	while (count < max && !waits && (place = place_list_take(&journal->ready))) {
		if (!stopped && backlog_is_before(reader, place->event)) {
			place_list_append(&reader->behind, place);
			continue;
		}
		*sluice_local(stage, place->event) = place;
		events[count++] = place->event;
	}
	(void)pthread_mutex_unlock(&journal->lock);
	return count;
}

/* Under the lock. */
static void mark(struct journal *journal, const struct inside *inside)
{
	struct segment *segment = inside->segment;
	segment->open--;
	/* It goes, and nobody needs its marks; the newest stays, and is to be known as done. */
	if (segment->closed && segment->open == 0 && segment->next) {
		journal->has_empty = true;
		journal->is_full = false;
		(void)pthread_cond_signal(&journal->work);
		return;
	}
	if (journal->marks.count == 0) {
		journal->marked_ns = journal_now_ns();
		(void)pthread_cond_signal(&journal->work);
	}
	struct range range = {format_number(segment->number, inside->number), 1};
	marks_add(&journal->marks, range);
	marks_add(&segment->done, range);
}

static void done(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	struct journal *journal = stage->state;
	struct inside *inside = *sluice_local(stage, event);
	bool is_kept = verdict == SLUICE_RETRY && event->acknowledged; /* for the next life */
	(void)pthread_mutex_lock(&journal->lock);
	journal->inside--;
	if (!is_kept)
		mark(journal, inside);
	(void)pthread_mutex_unlock(&journal->lock);
	free(inside);
}

/* All was read at create(), before anything could be put behind it. */
static bool recover(struct sluice_stage *stage, struct sluice_error *error)
{
	return backlog_tell(stage->state, error);
}

static void observe(struct sluice_stage *stage, struct sluice_observer *observer)
{
	struct journal *journal = stage->state;
	char trouble[TROUBLE_SIZE];
	double segments = 0, bytes = 0;
	(void)pthread_mutex_lock(&journal->lock);
	double inside = (double)journal->inside;
	for (const struct segment *segment = journal->segments; segment; segment = segment->next) {
		segments++;
		bytes += (double)segment->size;
	}
	memcpy(trouble, journal->trouble, sizeof(trouble));
	(void)pthread_mutex_unlock(&journal->lock);
	observer->gauge(observer, "queue_inside", NULL, NULL, inside,
	                "Events accepted by the queue and not yet stored.");
	observer->gauge(observer, "journal_segments", NULL, NULL, segments, "Files of the journal.");
	observer->gauge(observer, "journal_bytes", NULL, NULL, bytes, "Size of these files.");
	if (trouble[0])
		observer->unhealthy(observer, trouble);
	backlog_observe(&journal->reader, observer);
}

static const char *place(const void *config)
{
	return ((const struct config *)config)->directory;
}

static bool exists(const void *config)
{
	return directory_has_backlog(place(config));
}

static size_t count(struct sluice_stage *stage)
{
	struct journal *journal = stage->state;
	(void)pthread_mutex_lock(&journal->lock);
	size_t inside = journal->inside;
	(void)pthread_mutex_unlock(&journal->lock);
	return inside;
}

static const struct sluice_queue_backlog backlog = {.place = place, .exists = exists, .count = count};
static const struct sluice_extension extensions[] = {
	{SLUICE_QUEUE_BACKLOG, &backlog},
	SLUICE_EXTENSION_END,
};

static const char *const durabilities[] = {[DURABILITY_STRICT] = "strict", [DURABILITY_RELAXED] = "relaxed", NULL};

static const struct sluice_option options[] = {
	SLUICE_OPTION_STRING(struct config, directory, .name = "directory", .fallback = "journal",
                             .help = "the folder of its files; created if there is none"),
	SLUICE_OPTION_SIZE(struct config, segment_size, .name = "segment_size", .fallback = "16MiB", .min = 64 * 1024,
                           .max = INT64_C(1) << 30, .help = "size of a file; a larger event gets one of its own"),
	SLUICE_OPTION_SIZE(struct config, max_size, .name = "max_size", .fallback = "1GiB", .min = 128 * 1024,
                           .max = INT64_C(1) << 42,
                           .help = "size of all files with events not yet stored; more events get 503"),
	SLUICE_OPTION_INT(struct config, capacity, .name = "capacity", .fallback = "1000000", .min = 1,
                          .max = 100000000, .unit = "events",
                          .help = "events accepted and not yet stored; more get 503"),
	SLUICE_OPTION_CHOICE(
		struct config, durability, .name = "durability", .fallback = "strict", .choices = durabilities,
		.help = "relaxed allows a folder in memory, which loses acknowledged events when the power fails"),
	SLUICE_OPTION_END,
};

static const struct sluice_queue_ops ops = {
	.put = put, .take = take, .done = done, .recover = recover, .flags = SLUICE_QUEUE_DURABLE};

SLUICE_STAGE(queue, ops, .name = "journal", .version = SLUICE_VERSION,
             .summary = "a durable queue on the local disk: events are synced in groups, and stored later",
             .options = options, .config_size = sizeof(struct config), .check = check, .self_test = self_test,
             .create = create, .observe = observe, .destroy = destroy, .extensions = extensions);
