/*
 * queue/memory: a bounded first-in, first-out queue in memory.
 *
 * An event counts against both bounds from put() until done(), also while a worker has it: what the bounds promise is
 * how much is accepted and not yet stored. Nothing here survives the process, so it cannot back `ack: queued`.
 */
#include <pthread.h>
#include <stdlib.h>

#include <sluice/stage.h>

struct config {
	int64_t capacity;
	uint64_t capacity_bytes;
};

struct queue {
	pthread_mutex_t lock;
	struct sluice_event **ring;
	size_t first, waiting; /* in the ring */
	size_t inside;         /* put and not yet done */
	uint64_t bytes;        /* bodies of those inside */
};

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	const struct config *config = stage->config;
	struct queue *queue = calloc(1, sizeof(*queue));
	struct sluice_event **ring = calloc((size_t)config->capacity, sizeof(struct sluice_event *));
	if (!queue || !ring) {
		free(queue);
		free(ring);
		return sluice_error_set(error, "capacity: out of memory for %lld events", (long long)config->capacity);
	}
	queue->ring = ring;
	(void)pthread_mutex_init(&queue->lock, NULL);
	stage->state = queue;
	return true;
}

static void destroy(struct sluice_stage *stage)
{
	struct queue *queue = stage->state;
	(void)pthread_mutex_destroy(&queue->lock);
	free(queue->ring);
	free(queue);
}

static enum sluice_verdict put(struct sluice_stage *stage, struct sluice_event *event)
{
	const struct config *config = stage->config;
	struct queue *queue = stage->state;
	size_t capacity = (size_t)config->capacity;
	(void)pthread_mutex_lock(&queue->lock);
	bool too_many = queue->inside >= capacity;
	/* One event is always let in, so that a body larger than the bound is slow and not stuck. */
	bool too_large = queue->inside > 0 && queue->bytes + event->body.size > config->capacity_bytes;
	if (!too_many && !too_large) {
		queue->ring[(queue->first + queue->waiting++) % capacity] = event;
		queue->inside++;
		queue->bytes += event->body.size;
	}
	(void)pthread_mutex_unlock(&queue->lock);
	if (too_many)
		return sluice_retry(event, 0, "the queue is full: %zu events", capacity);
	if (too_large)
		return sluice_retry(event, 0, "the queue is full: %llu bytes",
		                    (unsigned long long)config->capacity_bytes);
	return SLUICE_PASS;
}

static size_t take(struct sluice_stage *stage, struct sluice_event **events, size_t max)
{
	const struct config *config = stage->config;
	struct queue *queue = stage->state;
	size_t count = 0;
	(void)pthread_mutex_lock(&queue->lock);
	while (count < max && queue->waiting > 0) {
		events[count++] = queue->ring[queue->first];
		queue->first = (queue->first + 1) % (size_t)config->capacity;
		queue->waiting--;
	}
	(void)pthread_mutex_unlock(&queue->lock);
	return count;
}

static void done(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	(void)verdict;
	struct queue *queue = stage->state;
	(void)pthread_mutex_lock(&queue->lock);
	queue->inside--;
	queue->bytes -= event->body.size;
	(void)pthread_mutex_unlock(&queue->lock);
}

static void observe(struct sluice_stage *stage, struct sluice_observer *observer)
{
	struct queue *queue = stage->state;
	(void)pthread_mutex_lock(&queue->lock);
	double inside = (double)queue->inside, bytes = (double)queue->bytes;
	(void)pthread_mutex_unlock(&queue->lock);
	observer->gauge(observer, "queue_inside", NULL, NULL, inside,
	                "Events accepted by the queue and not yet stored.");
	observer->gauge(observer, "queue_inside_bytes", NULL, NULL, bytes, "Bytes of the bodies of those events.");
}

static const struct sluice_option options[] = {
	SLUICE_OPTION_INT(struct config, capacity, .name = "capacity", .fallback = "10000", .min = 1, .max = 1048576,
                          .unit = "events", .help = "events accepted and not yet stored; more get 503"),
	SLUICE_OPTION_SIZE(struct config, capacity_bytes, .name = "capacity_bytes", .fallback = "256MiB", .min = 1024,
                           .max = INT64_C(1) << 40, .help = "bytes of their bodies; more get 503"),
	SLUICE_OPTION_END,
};

static const struct sluice_queue_ops ops = {.put = put, .take = take, .done = done};

SLUICE_STAGE(queue, ops, .name = "memory", .version = SLUICE_VERSION,
             .summary = "a bounded first-in, first-out queue in memory", .options = options,
             .config_size = sizeof(struct config), .create = create, .observe = observe, .destroy = destroy);
