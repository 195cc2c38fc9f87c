/*
 * idempotency/@NAME@: one event of an id is on its way at a time, and what was kept lately is known.
 *
 * An id is claimed by the first event that has it. Others with the same id wait for that one's fate: kept, and they are
 * duplicates (or conflicts, with another digest); failed, and the first of them takes its place. What is kept is only
 * remembered to save work: it may expire or give way, because the store's unique key is the truth.
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
	struct entry *newer; /* while kept: in the order of keeping, which is that of expiry */
	struct waiter *waiters, **last_waiter;
	bool kept;
	int64_t expires_ns;
	uint8_t digest[SLUICE_DIGEST_SIZE]; /* while kept */
	size_t id_size;
	char id[];
};

enum { BUCKETS = 16384 };

struct table {
	pthread_mutex_t lock;
	struct entry *oldest, *newest;
	int64_t kept;
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
	table->kept--;
	drop(stage, entry);
}

static void keep(struct sluice_stage *stage, struct entry *entry, const uint8_t *digest)
{
	const struct config *config = stage->config;
	struct table *table = stage->state;
	entry->kept = true;
	entry->waiters = NULL;
	entry->expires_ns = stage->host->now_ns() + config->ttl.ns;
	memcpy(entry->digest, digest, SLUICE_DIGEST_SIZE);
	if (table->oldest)
		table->newest->newer = entry;
	else
		table->oldest = entry;
	table->newest = entry;
	table->kept++;
	while (table->kept > config->capacity)
		forget_oldest(stage);
}

static struct entry *claim(struct entry **link, struct sluice_bytes id)
{
	struct entry *entry = calloc(1, sizeof(*entry) + id.size);
	if (!entry)
		return NULL;
	memcpy(entry->id, id.data, id.size);
	entry->id_size = id.size;
	entry->last_waiter = &entry->waiters;
	return *link = entry;
}

static enum sluice_verdict judge(struct sluice_event *event, const uint8_t *kept_digest)
{
	if (memcmp(sluice_digest(event), kept_digest, SLUICE_DIGEST_SIZE) == 0)
		return SLUICE_DONE;
	return sluice_conflict(event, "an event with this message id and a different content is already stored");
}

/* Under the lock: WAIT for one that waits now, DONE for one whose id is kept, PASS for one that has the claim. */
static enum sluice_verdict enter(struct sluice_stage *stage, struct sluice_event *event, struct waiter *waiter,
                                 uint8_t kept_digest[SLUICE_DIGEST_SIZE])
{
	struct table *table = stage->state;
	while (table->oldest && table->oldest->expires_ns <= stage->host->now_ns())
		forget_oldest(stage);
	struct entry **link = find(stage, event->message_id), *entry = *link;
	if (!entry) {
		entry = *sluice_local(stage, event) = claim(link, event->message_id);
		return entry ? SLUICE_PASS : SLUICE_RETRY;
	}
	if (entry->kept) {
		memcpy(kept_digest, entry->digest, SLUICE_DIGEST_SIZE);
		return SLUICE_DONE;
	}
	*entry->last_waiter = waiter;
	entry->last_waiter = &waiter->next;
	return SLUICE_WAIT;
}

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	struct table *table = stage->state;
	uint8_t kept_digest[SLUICE_DIGEST_SIZE];
	if (!event->message_id.data)
		return sluice_fail(event, "the event has no message id; idempotency needs a parse stage before it");
	struct waiter *waiter = sluice_alloc(event, sizeof(*waiter));
	if (!waiter)
		return sluice_retry(event, 0, "the bound on bytes in flight is reached");
	*waiter = (struct waiter){.event = event};
	(void)pthread_mutex_lock(&table->lock);
	enum sluice_verdict verdict = enter(stage, event, waiter, kept_digest);
	(void)pthread_mutex_unlock(&table->lock);
	if (verdict == SLUICE_DONE)
		return judge(event, kept_digest);
	return verdict == SLUICE_RETRY ? sluice_retry(event, 0, "out of memory") : verdict;
}

static void settle(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	struct table *table = stage->state;
	struct entry *entry = *sluice_local(stage, event);
	if (!entry)
		return; /* a duplicate: it never had the claim */
	*sluice_local(stage, event) = NULL;
	bool kept = verdict == SLUICE_PASS || verdict == SLUICE_DONE;
	const uint8_t *digest = kept ? sluice_digest(event) : NULL;

	(void)pthread_mutex_lock(&table->lock);
	struct waiter *waiter = entry->waiters;
	if (kept) {
		keep(stage, entry, digest);
	} else if (waiter) {
		*sluice_local(stage, waiter->event) = entry;
		entry->waiters = waiter->next;
		if (!entry->waiters)
			entry->last_waiter = &entry->waiters;
	} else {
		drop(stage, entry);
	}
	(void)pthread_mutex_unlock(&table->lock);

	if (waiter && !kept)
		sluice_resume(waiter->event, SLUICE_PASS);
	while (waiter && kept) {
		struct waiter *next = waiter->next; /* gone with its event */
		sluice_resume(waiter->event, judge(waiter->event, digest));
		waiter = next;
	}
}

static const struct sluice_option options[] = {
	SLUICE_OPTION_INT(struct config, capacity, .name = "capacity", .fallback = "100000", .min = 1, .max = 10000000,
                          .unit = "message ids", .help = "how many kept ids it remembers"),
	SLUICE_OPTION_DURATION(struct config, ttl, .name = "ttl", .fallback = "24h", .min = 1,
                               .max = INT64_C(2592000000000000), .help = "how long it remembers one"),
	SLUICE_OPTION_END,
};

static const struct sluice_idempotency_ops ops = {.process = process};

SLUICE_STAGE(idempotency, ops, .name = "@NAME@", .version = "0.1.0",
             .summary = "lets one event of an id through at a time and remembers what was kept", .options = options,
             .config_size = sizeof(struct config), .create = create, .settle = settle, .destroy = destroy);
