/*
 * queue/redis: every event passes through a Redis stream before a worker gets it. It is here to be measured: the
 * infrastructure change that has to prove itself. What it does not promise stands in its card.
 *
 *     put() ─► pending ─► the writer: XADD, all that waits at once ─► ready ─► take() ─► a worker ─► done() ─► XDEL
 *
 * The event itself stays in memory, and with it the order: an entry of the stream is a copy that goes when the event is done.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <sluice/stage.h>

#include "link.h"
#include "places/places.h"

enum { BATCH_MAX = 256, TROUBLE_SIZE = 256, PAUSE_MS = 500 };

struct config {
	const char *host, *password, *key;
	int64_t port, capacity;
	struct sluice_duration timeout;
};

/* An event inside, from put() until its entry is deleted. */
struct entry {
	struct place place;
	char id[ENTRY_ID_SIZE];
};

struct queue {
	struct sluice_stage *stage;
	struct link_address address;
	struct link link; /* the writer's */
	pthread_t writer;

	pthread_mutex_t lock;
	pthread_cond_t work;
	struct place_list pending, ready, over; /* to be added, to be taken, to be deleted */
	size_t inside;
	bool stopping;
	char trouble[TROUBLE_SIZE]; /* "": none */
	int64_t not_before_ns;      /* while there is trouble, nothing is accepted */
};

static struct entry *entry_of(struct place *place)
{
	return (struct entry *)place;
}

/* Up to BATCH_MAX of them. */
static size_t move(struct place_list *from, struct place_list *to)
{
	size_t count = 0;
	while (count < BATCH_MAX && from->first) {
		place_list_append(to, place_list_take(from));
		count++;
	}
	return count;
}

static int64_t system_now_ns(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Resumed under the lock, so that take() yields none of them before. */
static void accept(struct queue *queue, struct place_list *added)
{
	(void)pthread_mutex_lock(&queue->lock);
	for (struct place *place; (place = place_list_take(added));) {
		place_list_append(&queue->ready, place);
		sluice_resume(place->event, SLUICE_PASS);
	}
	(void)pthread_mutex_unlock(&queue->lock);
}

static void reject(struct queue *queue, struct place_list *batch, const struct sluice_error *error)
{
	(void)pthread_mutex_lock(&queue->lock);
	for (struct place *place; (place = place_list_take(batch)) || (place = place_list_take(&queue->pending));) {
		sluice_resume(place->event, sluice_retry(place->event, 0, "Redis does not take events"));
		queue->inside--;
		free(place);
	}
	if (!queue->trouble[0])
		sluice_log(queue->stage, SLUICE_LOG_ERROR, "redis_failed", sluice_text("reason", error->text));
	(void)snprintf(queue->trouble, sizeof(queue->trouble), "%.*s", TROUBLE_SIZE - 1, error->text);
	queue->not_before_ns = system_now_ns() + PAUSE_MS * INT64_C(1000000);
	(void)pthread_mutex_unlock(&queue->lock);
}

/* One round trip for all. What is not in `batch` afterwards was accepted. */
static bool add_batch(struct queue *queue, struct place_list *batch, struct sluice_error *error)
{
	struct place_list added = {0};
	for (const struct place *place = batch->first; place; place = place->next) {
		struct sluice_bytes id = place->event->message_id, body = place->event->body;
		if (!link_add(&queue->link, id.size ? id.data : "", id.size, body.size ? body.data : "", body.size))
			return sluice_error_set(error, "Redis: out of memory");
	}
	while (batch->first && link_read_added(&queue->link, entry_of(batch->first)->id, error))
		place_list_append(&added, place_list_take(batch));
	accept(queue, &added);
	return batch->first == NULL;
}

/* An entry that stays because of an error is removed at the next start. */
static bool delete_batch(struct queue *queue, const struct place_list *over, size_t count, struct sluice_error *error)
{
	for (struct place *place = over->first; place; place = place->next) {
		if (!link_delete(&queue->link, entry_of(place)->id))
			return sluice_error_set(error, "Redis: out of memory");
	}
	bool ok = true;
	for (size_t i = 0; ok && i < count; i++)
		ok = link_read_deleted(&queue->link, error);
	return ok;
}

static void work_batch(struct queue *queue, struct place_list *batch, struct place_list *over, size_t over_count)
{
	struct sluice_error error = {0};
	bool ok = link_open(&queue->link, &error) && add_batch(queue, batch, &error) &&
	          delete_batch(queue, over, over_count, &error);
	place_list_free(over);
	if (ok) {
		(void)pthread_mutex_lock(&queue->lock);
		queue->trouble[0] = '\0';
		(void)pthread_mutex_unlock(&queue->lock);
		return;
	}
	link_close(&queue->link);
	reject(queue, batch, &error);
}

static void *write_entries(void *argument)
{
	struct queue *queue = argument;
	(void)pthread_mutex_lock(&queue->lock);
	for (;;) {
		struct place_list batch = {0}, over = {0};
		size_t to_add = move(&queue->pending, &batch), to_delete = move(&queue->over, &over);
		if (to_add + to_delete == 0) {
			if (queue->stopping)
				break;
			(void)pthread_cond_wait(&queue->work, &queue->lock);
			continue;
		}
		(void)pthread_mutex_unlock(&queue->lock);
		work_batch(queue, &batch, &over, to_delete);
		(void)pthread_mutex_lock(&queue->lock);
	}
	(void)pthread_mutex_unlock(&queue->lock);
	return NULL;
}

static bool start(struct queue *queue, struct sluice_error *error)
{
	struct sluice_error cause = {0};
	if (!link_open(&queue->link, &cause) || !link_clear(&queue->link, &cause))
		return sluice_error_set(error, "host, port: %s", cause.text);
	int problem = pthread_create(&queue->writer, NULL, write_entries, queue);
	return problem == 0 || sluice_error_set(error, "cannot start a thread: %s", strerror(problem));
}

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	const struct config *config = stage->config;
	struct queue *queue = calloc(1, sizeof(*queue));
	if (!queue)
		return sluice_error_set(error, "out of memory");
	queue->stage = stage;
	queue->address = (struct link_address){.host = config->host,
	                                       .port = (int)config->port,
	                                       .password = config->password,
	                                       .key = config->key,
	                                       .timeout_ms = (int)(config->timeout.ns / 1000000)};
	queue->link.address = &queue->address;
	(void)pthread_mutex_init(&queue->lock, NULL);
	(void)pthread_cond_init(&queue->work, NULL);
	stage->state = queue;
	if (start(queue, error))
		return true;
	link_close(&queue->link);
	(void)pthread_cond_destroy(&queue->work);
	(void)pthread_mutex_destroy(&queue->lock);
	free(queue);
	return false;
}

static void destroy(struct sluice_stage *stage)
{
	struct queue *queue = stage->state;
	(void)pthread_mutex_lock(&queue->lock);
	queue->stopping = true;
	(void)pthread_cond_signal(&queue->work);
	(void)pthread_mutex_unlock(&queue->lock);
	(void)pthread_join(queue->writer, NULL);
	link_close(&queue->link);
	place_list_free(&queue->ready);
	(void)pthread_cond_destroy(&queue->work);
	(void)pthread_mutex_destroy(&queue->lock);
	free(queue);
}

static enum sluice_verdict put(struct sluice_stage *stage, struct sluice_event *event)
{
	const struct config *config = stage->config;
	struct queue *queue = stage->state;
	struct entry *entry = calloc(1, sizeof(*entry));
	if (!entry)
		return sluice_retry(event, 0, "out of memory");
	entry->place.event = event;
	(void)pthread_mutex_lock(&queue->lock);
	bool full = queue->inside >= (size_t)config->capacity;
	bool away = queue->trouble[0] && system_now_ns() < queue->not_before_ns;
	if (!full && !away) {
		place_list_append(&queue->pending, &entry->place);
		queue->inside++;
		(void)pthread_cond_signal(&queue->work);
	}
	(void)pthread_mutex_unlock(&queue->lock);
	if (!full && !away)
		return SLUICE_WAIT;
	free(entry);
	return full ? sluice_retry(event, 0, "the queue is full: %lld events", (long long)config->capacity)
	            : sluice_retry(event, 0, "Redis does not take events");
}

static size_t take(struct sluice_stage *stage, struct sluice_event **events, size_t max)
{
	struct queue *queue = stage->state;
	size_t count = 0;
	(void)pthread_mutex_lock(&queue->lock);
	for (struct place *place; count < max && (place = place_list_take(&queue->ready));) {
		*sluice_local(stage, place->event) = place;
		events[count++] = place->event;
	}
	(void)pthread_mutex_unlock(&queue->lock);
	return count;
}

static void done(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	struct queue *queue = stage->state;
	(void)verdict;
	(void)pthread_mutex_lock(&queue->lock);
	place_list_append(&queue->over, *sluice_local(stage, event));
	queue->inside--;
	(void)pthread_cond_signal(&queue->work);
	(void)pthread_mutex_unlock(&queue->lock);
}

static void observe(struct sluice_stage *stage, struct sluice_observer *observer)
{
	struct queue *queue = stage->state;
	char trouble[TROUBLE_SIZE];
	(void)pthread_mutex_lock(&queue->lock);
	double inside = (double)queue->inside;
	memcpy(trouble, queue->trouble, sizeof(trouble));
	(void)pthread_mutex_unlock(&queue->lock);
	observer->gauge(observer, "queue_inside", NULL, NULL, inside,
	                "Events accepted by the queue and not yet stored.");
	if (trouble[0])
		observer->unhealthy(observer, trouble);
}

static const struct sluice_option options[] = {
	SLUICE_OPTION_STRING(struct config, host, .name = "host", .fallback = "127.0.0.1", .min = 1, .max = 255,
                             .help = "where Redis is"),
	SLUICE_OPTION_INT(struct config, port, .name = "port", .fallback = "6379", .min = 1, .max = 65535,
                          .help = "its TCP port"),
	SLUICE_OPTION_STRING(struct config, password, .name = "password", .fallback = "", .flags = SLUICE_OPTION_SECRET,
                             .help = "for AUTH; empty: none"),
	SLUICE_OPTION_STRING(struct config, key, .name = "stream", .fallback = "sluice", .min = 1, .max = 200,
                             .help = "name of the stream, which is this pipeline's alone: it is emptied at start"),
	SLUICE_OPTION_INT(struct config, capacity, .name = "capacity", .fallback = "10000", .min = 1, .max = 1048576,
                          .unit = "events", .help = "events accepted and not yet stored; more get 503"),
	SLUICE_OPTION_DURATION(struct config, timeout, .name = "timeout", .fallback = "3s", .min = 10000000,
                               .max = INT64_C(60000000000), .help = "to connect, and for a reply"),
	SLUICE_OPTION_END,
};

static const struct sluice_queue_ops ops = {.put = put, .take = take, .done = done};

SLUICE_STAGE(queue, ops, .name = "redis", .version = SLUICE_VERSION,
             .summary = "every event passes through a Redis stream; to measure what that costs", .options = options,
             .config_size = sizeof(struct config), .create = create, .observe = observe, .destroy = destroy);
