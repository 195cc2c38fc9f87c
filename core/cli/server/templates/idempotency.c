/*
 * idempotency/@NAME@: lets one event of an id through at a time, and remembers the ids stored lately.
 *
 * The first event of an id claims it. Others with the same id wait for its fate: stored, and they are duplicates (or
 * conflicts, with another digest); failed, and the first of them takes its place. A stored id is remembered only to save
 * work, because the store's unique key is the truth: it may expire or give way, and once the store has changed or come
 * into doubt it is not believed.
 */
#include <pthread.h>
#include <stdlib.h>

#include <sluice/stage.h>

struct config {
	int64_t capacity;
	struct sluice_duration ttl;
};

/* An event that waits; lives in that event's memory. */
struct waiter {
	struct sluice_event *event;
	struct waiter *next;
};

struct entry {
	struct entry *next;  /* of the same bucket */
	struct entry *newer; /* while stored: in the order of storing, which is that of expiry */
	struct waiter *waiters, **last_waiter;
	uint64_t epoch; /* of the store, when the event with the claim went on to it */
	bool stored;
	int64_t expires_ns;
	uint8_t digest[SLUICE_DIGEST_SIZE]; /* while stored */
	size_t id_size;
	char id[];
};

enum { BUCKETS = 16384 };

struct table {
	pthread_mutex_t lock;
	struct entry *oldest, *newest;
	int64_t stored;
	struct entry *buckets[BUCKETS];
};

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	struct table *table = calloc(1, sizeof(*table));
	if (!table)
		return sluice_error_set(error, "out of memory");
	(void)pthread_mutex_init(&table->lock, NULL);
	stage->state = table;
	return true;
}

static void destroy(struct sluice_stage *stage)
{
	struct table *table = stage->state;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (table->buckets[i]) {
			struct entry *entry = table->buckets[i];
			table->buckets[i] = entry->next;
			free(entry);
		}
	}
	(void)pthread_mutex_destroy(&table->lock);
	free(table);
}

/* Where the entry of that id is linked, or where one would be. */
static struct entry **find(struct sluice_stage *stage, struct sluice_bytes id)
{
	struct table *table = stage->state;
	struct entry **link = &table->buckets[stage->host->hash(id.data, id.size) % BUCKETS];
	while (*link && ((*link)->id_size != id.size || memcmp((*link)->id, id.data, id.size) != 0))
		link = &(*link)->next;
	return link;
}

static void drop(struct sluice_stage *stage, struct entry *entry)
{
	*find(stage, (struct sluice_bytes){entry->id, entry->id_size}) = entry->next;
	free(entry);
}

static void forget_oldest(struct sluice_stage *stage)
{
	struct table *table = stage->state;
	struct entry *entry = table->oldest;
	table->oldest = entry->newer;
	table->stored--;
	drop(stage, entry);
}

static void remember(struct sluice_stage *stage, struct entry *entry, const uint8_t *digest)
{
	const struct config *config = stage->config;
	struct table *table = stage->state;
	entry->stored = true;
	entry->waiters = NULL;
	entry->expires_ns = stage->host->now_ns() + config->ttl.ns;
	memcpy(entry->digest, digest, SLUICE_DIGEST_SIZE);
	if (table->oldest)
		table->newest->newer = entry;
	else
		table->oldest = entry;
	table->newest = entry;
	table->stored++;
	while (table->stored > config->capacity)
		forget_oldest(stage);
}

static struct entry *claim(struct entry **link, struct sluice_bytes id, uint64_t epoch)
{
	struct entry *entry = calloc(1, sizeof(*entry) + id.size);
	if (!entry)
		return NULL;
	memcpy(entry->id, id.data, id.size);
	entry->id_size = id.size;
	entry->epoch = epoch;
	entry->last_waiter = &entry->waiters;
	return *link = entry;
}

static enum sluice_verdict judge(struct sluice_event *event, const uint8_t *stored_digest)
{
	if (memcmp(sluice_digest(event), stored_digest, SLUICE_DIGEST_SIZE) == 0)
		return SLUICE_DONE;
	return sluice_conflict(event, "an event with this message id and different content is already stored");
}

/* Under the lock: WAIT for an event that waits now, DONE if its id is stored, PASS if it has the claim. */
static enum sluice_verdict enter(struct sluice_stage *stage, struct sluice_event *event, struct waiter *waiter,
                                 uint8_t stored_digest[SLUICE_DIGEST_SIZE])
{
	struct table *table = stage->state;
	uint64_t epoch = sluice_store_epoch(stage);
	int64_t now_ns = stage->host->now_ns();
	while (table->oldest && (table->oldest->expires_ns <= now_ns || table->oldest->epoch != epoch))
		forget_oldest(stage);
	struct entry **link = find(stage, event->message_id), *entry = *link;
	if (!entry) {
		entry = *sluice_local(stage, event) = claim(link, event->message_id, epoch);
		return entry ? SLUICE_PASS : SLUICE_RETRY;
	}
	if (entry->stored) {
		memcpy(stored_digest, entry->digest, SLUICE_DIGEST_SIZE);
		return SLUICE_DONE;
	}
	*entry->last_waiter = waiter;
	entry->last_waiter = &waiter->next;
	return SLUICE_WAIT;
}

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	struct table *table = stage->state;
	uint8_t stored_digest[SLUICE_DIGEST_SIZE];
	if (!event->message_id.data)
		return sluice_fail(event, "the event has no message id; idempotency needs a parse stage before it");
	struct waiter *waiter = sluice_alloc(event, sizeof(*waiter));
	if (!waiter)
		return sluice_retry(event, 0, "the bound on bytes in flight is reached");
	*waiter = (struct waiter){.event = event};
	(void)pthread_mutex_lock(&table->lock);
	enum sluice_verdict verdict = enter(stage, event, waiter, stored_digest);
	(void)pthread_mutex_unlock(&table->lock);
	if (verdict == SLUICE_DONE)
		return judge(event, stored_digest);
	return verdict == SLUICE_RETRY ? sluice_retry(event, 0, "out of memory") : verdict;
}

static void settle(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	struct table *table = stage->state;
	struct entry *entry = *sluice_local(stage, event);
	if (!entry)
		return; /* a duplicate: it never had the claim */
	*sluice_local(stage, event) = NULL;
	bool stored = verdict == SLUICE_PASS || verdict == SLUICE_DONE;
	const uint8_t *digest = stored ? sluice_digest(event) : NULL;

	(void)pthread_mutex_lock(&table->lock);
	struct waiter *waiter = entry->waiters;
	uint64_t epoch = sluice_store_epoch(stage);
	if (stored && entry->epoch == epoch) {
		remember(stage, entry, digest);
	} else if (waiter && !stored) {
		*sluice_local(stage, waiter->event) = entry;
		entry->epoch = epoch;
		entry->waiters = waiter->next;
		if (!entry->waiters)
			entry->last_waiter = &entry->waiters;
	} else {
		drop(stage, entry);
	}
	(void)pthread_mutex_unlock(&table->lock);

	if (waiter && !stored)
		sluice_resume(waiter->event, SLUICE_PASS);
	while (waiter && stored) {
		struct waiter *next = waiter->next; /* gone with its event */
		sluice_resume(waiter->event, judge(waiter->event, digest));
		waiter = next;
	}
}

static const struct sluice_option options[] = {
	SLUICE_OPTION_INT(struct config, capacity, .name = "capacity", .fallback = "100000", .min = 1, .max = 10000000,
                          .unit = "message ids", .help = "how many stored ids it remembers"),
	SLUICE_OPTION_DURATION(struct config, ttl, .name = "ttl", .fallback = "24h", .min = 1,
                               .max = INT64_C(2592000000000000), .help = "how long it remembers one"),
	SLUICE_OPTION_END,
};

static const struct sluice_idempotency_ops ops = {.process = process};

SLUICE_STAGE(idempotency, ops, .name = "@NAME@", .version = "0.1.0",
             .summary = "lets one event of an id through at a time and remembers stored ids", .options = options,
             .config_size = sizeof(struct config), .create = create, .settle = settle, .destroy = destroy);
