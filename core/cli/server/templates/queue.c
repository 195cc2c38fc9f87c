/*
 * queue/@NAME@: a bounded first-in, first-out queue in memory.
 *
 * An event counts against the bound from put() until done(), also while a worker has it: the bound says how much is
 * accepted and not yet stored.
 */
#include <pthread.h>
#include <stdlib.h>

#include <sluice/stage.h>

struct config {
	int64_t capacity;
};

struct queue {
	pthread_mutex_t lock;
	size_t first, waiting; /* in the ring */
	size_t inside;         /* put and not yet done */
	struct sluice_event *ring[];
};

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	const struct config *config = stage->config;
	struct queue *queue = calloc(1, sizeof(*queue) + (size_t)config->capacity * sizeof(queue->ring[0]));
	if (!queue)
		return sluice_error_set(error, "capacity: out of memory for %lld events", (long long)config->capacity);
	(void)pthread_mutex_init(&queue->lock, NULL);
	stage->state = queue;
	return true;
}

static void destroy(struct sluice_stage *stage)
{
	struct queue *queue = stage->state;
	(void)pthread_mutex_destroy(&queue->lock);
	free(queue);
}

static enum sluice_verdict put(struct sluice_stage *stage, struct sluice_event *event)
{
	const struct config *config = stage->config;
	size_t capacity = (size_t)config->capacity;
	struct queue *queue = stage->state;
	(void)pthread_mutex_lock(&queue->lock);
	bool full = queue->inside == capacity;
	if (!full) {
		queue->ring[(queue->first + queue->waiting++) % capacity] = event;
		queue->inside++;
	}
	(void)pthread_mutex_unlock(&queue->lock);
	/* After PASS the event may be in other hands already: it is not touched any more. */
	return full ? sluice_retry(event, 0, "the queue is full: %zu events", capacity) : SLUICE_PASS;
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
	struct queue *queue = stage->state;
	(void)event;
	(void)verdict;
	(void)pthread_mutex_lock(&queue->lock);
	queue->inside--;
	(void)pthread_mutex_unlock(&queue->lock);
}

static void observe(struct sluice_stage *stage, struct sluice_observer *observer)
{
	struct queue *queue = stage->state;
	(void)pthread_mutex_lock(&queue->lock);
	double inside = (double)queue->inside;
	(void)pthread_mutex_unlock(&queue->lock);
	observer->gauge(observer, "queue_inside", NULL, NULL, inside,
	                "Events accepted by the queue and not yet stored.");
}

static const struct sluice_option options[] = {
	SLUICE_OPTION_INT(struct config, capacity, .name = "capacity", .fallback = "10000", .min = 1, .max = 1048576,
                          .unit = "events", .help = "events accepted and not yet stored; more get 503"),
	SLUICE_OPTION_END,
};

static const struct sluice_queue_ops ops = {.put = put, .take = take, .done = done};

SLUICE_STAGE(queue, ops, .name = "@NAME@", .version = "0.1.0",
             .summary = "a bounded first-in, first-out queue in memory", .options = options,
             .config_size = sizeof(struct config), .create = create, .observe = observe, .destroy = destroy);
