/*
 * A list as a queue, with a journal in a file, and what can be wrong with one. Each stage of this folder is it with
 * one of the flaws of plain_queue.h; without a flaw it keeps every promise of its kind. It is compiled twice: durable,
 * and with VOLATILE defined. One that parks writes its journal on a thread of its own: put() then says WAIT.
 *
 * The journal is a row of frames: an event that was put, or the number of one that is through. It is never shortened.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include <sluice/stage.h>

#include "plain_queue.h"

#include "../frames.h"
#include "../meet.h"

#ifdef VOLATILE
enum { FLAGS = 0 };
#else
enum { FLAGS = SLUICE_QUEUE_DURABLE };
#endif

enum { FRAME_DONE = 'D', RING = 5 /* places in the ring of FORGETS_AT_THE_END */ };

struct config {
	int64_t capacity;
	const char *path;
};

struct done_frame {
	struct frame frame;
	int64_t number;
};

/* An event inside, from put() to done(). */
struct place {
	struct sluice_event *event;
	int64_t number; /* in the journal */
	bool is_ready, is_taken;
	struct place *next;
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct place *first; /* oldest first */
	int64_t last_number;
	struct sluice_event *yielded_last;
	int journal;          /* a descriptor; of one that is not journaled -1 */
	off_t end;            /* of the journal */
	struct text buffered; /* BUFFERS: what is not written yet */
	pthread_t writer;     /* of one that parks: makes places ready */
	bool over;

	struct text old; /* what the last life left */
	struct sluice_record *backlog;
	size_t backlog_count, backlog_next;
};

static bool parks(void)
{
	return flaw == PARKS || flaw == RESUMES_TWICE || flaw == YIELDS_WHAT_WAITS;
}

static bool is_journaled(void)
{
	return FLAGS != 0 && flaw != DURABLE_IN_NAME;
}

/* All or nothing. */
static bool write_journal(struct queue *queue, const void *data, size_t size)
{
	size_t written = 0;
	if (flaw == BUFFERS) {
		text_add(&queue->buffered, data, size);
		return true;
	}
	while (written < size) {
		ssize_t step = pwrite(queue->journal, (const char *)data + written, size - written,
		                      queue->end + (off_t)written);
		if (step <= 0)
			break;
		written += (size_t)step;
	}
	bool ok = written == size && (flaw == SYNCS_NOTHING || fdatasync(queue->journal) == 0);
	if (ok || flaw == IGNORES_A_FAILING_DISK) {
		queue->end += (off_t)size;
		return true;
	}
	(void)!ftruncate(queue->journal, queue->end);
	return false;
}

static bool journal_put(struct queue *queue, struct sluice_event *event, int64_t number)
{
	struct text text = {0};
	struct sluice_record record = record_of(event, number);
	if (flaw == CUTS_AT_NUL)
		record.payload.size = strnlen(record.payload.data, record.payload.size);
	frame_write_event(&text, &record);
	bool ok = write_journal(queue, text.data, text.size);
	free(text.data);
	return ok;
}

static void journal_done(struct queue *queue, int64_t number)
{
	struct done_frame frame = {{FRAME_DONE, (int32_t)sizeof(frame)}, number};
	(void)write_journal(queue, &frame, sizeof(frame)); /* else it comes again */
}

static size_t count_inside(const struct queue *queue)
{
	size_t count = 0;
	for (const struct place *place = queue->first; place; place = place->next)
		count += flaw != COUNTS_WHAT_WAITS || !place->is_taken;
	return count;
}

static void append(struct queue *queue, struct place *place)
{
	struct place **end = &queue->first;
	while (*end && flaw != NEWEST_FIRST)
		end = &(*end)->next;
	if (flaw == PUTS_UNLOCKED)
		meet();
	place->next = *end;
	*end = place;
}

static enum sluice_verdict put_locked(struct sluice_stage *stage, struct sluice_event *event)
{
	const struct config *config = stage->config;
	struct queue *queue = stage->state;
	if (flaw != IGNORES_ITS_BOUND && count_inside(queue) >= (size_t)config->capacity)
		return sluice_retry(event, 0, "the queue is full");
	if (flaw == FORGETS_AT_THE_END && ++queue->last_number % RING == 0)
		return SLUICE_PASS;
	struct place *place = calloc(1, sizeof(*place));
	place->event = event;
	place->number = ++queue->last_number;
	place->is_ready = !parks() || flaw == YIELDS_WHAT_WAITS;
	if (!parks() && is_journaled() && !journal_put(queue, event, place->number)) {
		free(place);
		return sluice_retry(event, 0, "the journal could not be written");
	}
	append(queue, place);
	(void)pthread_cond_broadcast(&queue->changed);
	return parks() ? SLUICE_WAIT : SLUICE_PASS;
}

static enum sluice_verdict put(struct sluice_stage *stage, struct sluice_event *event)
{
	struct queue *queue = stage->state;
	if (flaw == PUTS_UNLOCKED)
		return put_locked(stage, event);
	(void)pthread_mutex_lock(&queue->lock);
	enum sluice_verdict verdict = put_locked(stage, event);
	(void)pthread_mutex_unlock(&queue->lock);
	return verdict;
}

static struct place *next_to_write(struct queue *queue)
{
	struct place *place = queue->first;
	while (place && (place->is_ready || place->is_taken))
		place = place->next;
	return place;
}

static void unlink_place(struct queue *queue, struct place *place)
{
	struct place **link = &queue->first;
	while (*link != place)
		link = &(*link)->next;
	*link = place->next;
	free(place);
}

/* The other half of put(), where it parks. */
static void *write_places(void *context)
{
	struct queue *queue = context;
	(void)pthread_mutex_lock(&queue->lock);
	while (!queue->over) {
		struct place *place = next_to_write(queue);
		if (!place) {
			(void)pthread_cond_wait(&queue->changed, &queue->lock);
			continue;
		}
		if (!journal_put(queue, place->event, place->number)) {
			struct sluice_event *event = place->event;
			unlink_place(queue, place);
			sluice_resume(event, sluice_retry(event, 0, "the journal could not be written"));
			continue;
		}
		sluice_resume(place->event, SLUICE_PASS);
		if (flaw == RESUMES_TWICE)
			sluice_resume(place->event, SLUICE_PASS);
		place->is_ready = true;
	}
	(void)pthread_mutex_unlock(&queue->lock);
	return NULL;
}

/* What an earlier life left becomes a place at the head, behind those restored before it. */
static bool restore_next(struct sluice_stage *stage)
{
	struct queue *queue = stage->state;
	if (queue->backlog_next == queue->backlog_count)
		return false;
	char byte;
	if (flaw == SKIPS_WHAT_IT_CANNOT_READ && pread(queue->journal, &byte, 1, 0) < 0) {
		queue->backlog_next++;
		return false;
	}
	const struct sluice_record *record = &queue->backlog[queue->backlog_next];
	struct sluice_event *event = stage->host->restore(stage, record);
	if (event || flaw == RESTORES_ONCE)
		queue->backlog_next++;
	if (!event)
		return false;
	struct place **end = &queue->first;
	while (*end && (flaw == NEW_BEFORE_OLD || (*end)->is_taken))
		end = &(*end)->next;
	struct place *place = calloc(1, sizeof(*place));
	*place = (struct place){.event = event, .number = record->id, .is_ready = true, .next = *end};
	*end = place;
	return true;
}

static struct place *next_to_take(struct sluice_stage *stage)
{
	struct queue *queue = stage->state;
	for (int turn = 0; turn < 2; turn++) {
		bool is_backlog = turn == (flaw == NEW_BEFORE_OLD);
		struct place *place = queue->first;
		while (place && place->is_taken)
			place = place->next;
		if (is_backlog && queue->backlog_next < queue->backlog_count) {
			if (!restore_next(stage))
				return NULL;
			place = queue->first;
			while (place && place->is_taken)
				place = place->next;
		}
		if (place)
			return place->is_ready ? place : NULL;
	}
	return NULL;
}

static size_t take(struct sluice_stage *stage, struct sluice_event **events, size_t max)
{
	struct queue *queue = stage->state;
	size_t count = 0;
	struct place *place;
	(void)pthread_mutex_lock(&queue->lock);
	while (flaw == BLOCKS_WHEN_EMPTY && !queue->first)
		(void)pthread_cond_wait(&queue->changed, &queue->lock);
	while (count < max + (flaw == TAKES_ONE_MORE) && (place = next_to_take(stage))) {
		place->is_taken = true;
		events[count++] = queue->yielded_last = place->event;
	}
	if (flaw == YIELDS_TWICE && count == 0 && queue->yielded_last) {
		events[count++] = queue->yielded_last;
		queue->yielded_last = NULL;
	}
	(void)pthread_mutex_unlock(&queue->lock);
	return count;
}

static void done(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	struct queue *queue = stage->state;
	(void)pthread_mutex_lock(&queue->lock);
	struct place **link = &queue->first;
	while (*link && (*link)->event != event)
		link = &(*link)->next;
	struct place *place = *link;
	bool is_noted = flaw != FORGETS_WHAT_IS_DONE && (flaw != FORGETS_SOME_DONE || !place || place->number % 3);
	if (place && is_journaled() && is_noted &&
	    (verdict != SLUICE_RETRY || !event->acknowledged || flaw == ALL_DONE_IS_DONE))
		journal_done(queue, place->number);
	bool is_freed = flaw != DONE_FREES_NOTHING && (flaw != DONE_IN_ORDER || place == queue->first);
	if (place && is_freed)
		unlink_place(queue, place);
	(void)pthread_mutex_unlock(&queue->lock);
}

static void forget_number(struct queue *queue, int64_t number)
{
	size_t kept = 0;
	for (size_t i = 0; i < queue->backlog_count; i++) {
		if (queue->backlog[i].id != number)
			queue->backlog[kept++] = queue->backlog[i];
	}
	queue->backlog_count = kept;
}

static void read_frame(struct queue *queue, const char *at)
{
	struct sluice_record record;
	struct done_frame done_frame;
	if (frame_read_event(at, &record)) {
		queue->backlog[queue->backlog_count++] = record;
		queue->last_number = record.id;
		return;
	}
	memcpy(&done_frame, at, sizeof(done_frame));
	forget_number(queue, done_frame.number);
}

static void forget_old_ones(struct sluice_stage *stage)
{
	struct queue *queue = stage->state;
	size_t kept = 0;
	for (size_t i = 0; i < queue->backlog_count; i++) {
		if (stage->host->wall_ns() - queue->backlog[i].received_at_ns < INT64_C(86400000000000))
			queue->backlog[kept++] = queue->backlog[i];
	}
	queue->backlog_count = kept;
}

static off_t last_end; /* of the life before this one */

/* What a crash has left behind the last whole frame is cut off. */
static void read_journal(struct queue *queue, const char *path)
{
	struct frame frame;
	size_t offset = 0;
	if (!text_read_file(&queue->old, path))
		return;
	queue->backlog = calloc(queue->old.size / sizeof(struct event_frame) + 1, sizeof(*queue->backlog));
	for (; frame_at(&queue->old, offset, &frame); offset += (size_t)frame.size)
		read_frame(queue, queue->old.data + offset);
	queue->end = (off_t)(flaw == KEEPS_A_TORN_TAIL ? queue->old.size : offset);
	(void)!ftruncate(queue->journal, queue->end);
	if (flaw == LEAVES_A_GAP && queue->end < last_end)
		queue->end = last_end;
}

/* Its name is there after a power cut, too. */
static bool open_journal(struct queue *queue, const char *path, struct sluice_error *error)
{
	queue->journal = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (queue->journal < 0)
		return sluice_error_set(error, "path: %s: %s", path, strerror(errno));
	const char *slash = strrchr(path, '/');
	char folder[1024];
	(void)snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path + 1) : 1, slash ? path : ".");
	int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory >= 0) {
		(void)fsync(directory);
		(void)close(directory);
	}
	read_journal(queue, path);
	return true;
}

static bool recover(struct sluice_stage *stage, struct sluice_error *error)
{
	struct queue *queue = stage->state; /* create() has read the journal, before anything is put behind it */
	const struct sluice_acknowledged *acknowledged = stage->host->extension(SLUICE_ACKNOWLEDGED);
	(void)error;
	if (flaw == FORGETS_BY_THE_CLOCK)
		forget_old_ones(stage);
	for (size_t i = 0; acknowledged && flaw != TELLS_OF_NOTHING && i < queue->backlog_count; i++)
		acknowledged->tell(stage, &queue->backlog[i]);
	return true;
}

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	const struct config *config = stage->config;
	struct queue *queue = calloc(1, sizeof(*queue));
	queue->journal = -1;
	if (is_journaled() && !open_journal(queue, config->path, error)) {
		free(queue);
		return false;
	}
	(void)pthread_mutex_init(&queue->lock, NULL);
	(void)pthread_cond_init(&queue->changed, NULL);
	stage->state = queue;
	if (parks() && pthread_create(&queue->writer, NULL, write_places, queue) != 0)
		abort();
	return true;
}

static void drain(struct sluice_stage *stage)
{
	struct queue *queue = stage->state;
	(void)pthread_mutex_lock(&queue->lock);
	for (struct place *place = queue->first; place && flaw == FORGETS_AT_DRAIN; place = place->next)
		place->is_taken = true;
	(void)pthread_mutex_unlock(&queue->lock);
}

static void end_writer(struct queue *queue)
{
	(void)pthread_mutex_lock(&queue->lock);
	queue->over = true;
	(void)pthread_cond_broadcast(&queue->changed);
	(void)pthread_mutex_unlock(&queue->lock);
	(void)pthread_join(queue->writer, NULL);
}

static void destroy(struct sluice_stage *stage)
{
	struct queue *queue = stage->state;
	if (parks())
		end_writer(queue);
	if (queue->journal >= 0) {
		last_end = queue->end;
		(void)!write(queue->journal, queue->buffered.data, queue->buffered.size);
		(void)close(queue->journal);
	}
	free(queue->buffered.data);
	for (struct place *place = queue->first, *next; place; place = next) {
		next = place->next;
		free(place);
	}
	(void)pthread_cond_destroy(&queue->changed);
	(void)pthread_mutex_destroy(&queue->lock);
	free(queue->backlog);
	free(queue->old.data);
	free(queue);
}

static const char *place(const void *config)
{
	return ((const struct config *)config)->path;
}

/* It cannot tell whether a process has it. */
static bool exists(const void *config)
{
	(void)config;
	return false;
}

static size_t count(struct sluice_stage *stage)
{
	struct queue *queue = stage->state;
	(void)pthread_mutex_lock(&queue->lock);
	size_t restored = flaw == COUNTS_NO_BACKLOG ? queue->backlog_count : queue->backlog_next;
	size_t inside = count_inside(queue) + queue->backlog_count - restored;
	(void)pthread_mutex_unlock(&queue->lock);
	return inside;
}

static void observe(struct sluice_stage *stage, struct sluice_observer *observer)
{
	struct queue *queue = stage->state;
	size_t taken = 0, inside = count(stage);
	(void)pthread_mutex_lock(&queue->lock);
	for (const struct place *each = queue->first; each; each = each->next)
		taken += each->is_taken;
	(void)pthread_mutex_unlock(&queue->lock);
	observer->gauge(observer, "queue_inside", NULL, NULL,
	                (double)(flaw == SHOWS_WHAT_WAITS ? inside - taken : inside),
	                "Events accepted by the queue and not yet stored.");
}

static const struct sluice_queue_backlog backlog = {.place = place, .exists = exists, .count = count};
static const struct sluice_extension extensions[] = {
	{SLUICE_QUEUE_BACKLOG, &backlog},
	SLUICE_EXTENSION_END,
};

static const struct sluice_option options[] = {
	SLUICE_OPTION_INT(struct config, capacity, .name = "capacity", .fallback = "10000", .min = 1, .max = 1000000,
                          .unit = "events", .help = "inside at once, at most"),
	SLUICE_OPTION_STRING(struct config, path, .name = "path", .fallback = "journal", .help = "the file"),
	SLUICE_OPTION_END,
};

static const struct sluice_queue_ops ops = {.flags = FLAGS, .put = put, .take = take, .done = done, .recover = recover};

SLUICE_STAGE(queue, ops, .name = "plain_queue", .version = "1.0.0", .summary = "a list", .options = options,
             .config_size = sizeof(struct config), .create = create, .destroy = destroy, .drain = drain,
             .observe = observe, .extensions = extensions);
