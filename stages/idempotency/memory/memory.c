/*
 * idempotency/memory: knows what is kept and what is on its way, so that a duplicate costs no write.
 *
 * Two kinds of entries, by message id. A claim belongs to the event that came first and is in flight; duplicates of it
 * wait for its fate: kept, and they are answered from its digest; failed, and the first of them takes its place. A kept
 * entry is only a cache of what the store has: it may expire or give way to newer ones, and in a new epoch of the store
 * it is not believed. The store's unique key is the truth.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/stage.h>

struct config {
	int64_t capacity;
	struct sluice_duration ttl;
};

/* A duplicate in flight; lives in its event's memory. */
struct waiter {
	struct sluice_event *event;
	struct waiter *next;
};

struct entry {
	struct entry *in_bucket;
	uint64_t hash;
	uint64_t epoch; /* of the store, when the event with the claim went on its way to it */
	bool kept;
	/* While claimed. */
	struct waiter *first_waiter, *last_waiter;
	/* While kept: the oldest first, which is also the order in which they expire. */
	struct entry *older, *newer;
	int64_t expires_ns;
	uint8_t digest[SLUICE_DIGEST_SIZE];
	size_t id_size;
	char id[];
};

struct table {
	pthread_mutex_t lock;
	struct entry **buckets;
	size_t bucket_count; /* a power of two */
	size_t kept, claimed, waiting;
	struct entry *oldest, *newest;
};

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	struct table *table = calloc(1, sizeof(*table));
	struct entry **buckets = calloc(1024, sizeof(struct entry *));
	if (!table || !buckets) {
		free(table);
		free(buckets);
		return sluice_error_set(error, "out of memory");
	}
	table->buckets = buckets;
	table->bucket_count = 1024;
	(void)pthread_mutex_init(&table->lock, NULL);
	stage->state = table;
	return true;
}

static void destroy(struct sluice_stage *stage)
{
	struct table *table = stage->state;
	for (size_t i = 0; i < table->bucket_count; i++) {
		while (table->buckets[i]) {
			struct entry *entry = table->buckets[i];
			table->buckets[i] = entry->in_bucket;
			free(entry);
		}
	}
	(void)pthread_mutex_destroy(&table->lock);
	free(table->buckets);
	free(table);
}

static struct entry **bucket_of(struct table *table, uint64_t hash)
{
	return &table->buckets[hash & (table->bucket_count - 1)];
}

static struct entry *find(struct table *table, uint64_t hash, struct sluice_bytes id)
{
	for (struct entry *entry = *bucket_of(table, hash); entry; entry = entry->in_bucket)
		if (entry->hash == hash && entry->id_size == id.size && memcmp(entry->id, id.data, id.size) == 0)
			return entry;
	return NULL;
}

/* A longer table is a gain, not a need: without memory for it the chains grow. */
static void grow(struct table *table)
{
	size_t count = table->bucket_count * 2;
	struct entry **buckets = calloc(count, sizeof(struct entry *));
	if (!buckets)
		return;
	struct entry **old = table->buckets;
	size_t old_count = table->bucket_count;
	table->buckets = buckets;
	table->bucket_count = count;
	for (size_t i = 0; i < old_count; i++) {
		while (old[i]) {
			struct entry *entry = old[i];
			old[i] = entry->in_bucket;
			struct entry **bucket = bucket_of(table, entry->hash);
			entry->in_bucket = *bucket;
			*bucket = entry;
		}
	}
	free(old);
}

static struct entry *claim(struct table *table, uint64_t hash, struct sluice_bytes id)
{
	struct entry *entry = calloc(1, sizeof(*entry) + id.size);
	if (!entry)
		return NULL;
	entry->hash = hash;
	entry->id_size = id.size;
	memcpy(entry->id, id.data, id.size);
	if (table->kept + ++table->claimed > table->bucket_count)
		grow(table);
	struct entry **bucket = bucket_of(table, hash);
	entry->in_bucket = *bucket;
	*bucket = entry;
	return entry;
}

static void unlink_entry(struct table *table, struct entry *entry)
{
	struct entry **link = bucket_of(table, entry->hash);
	while (*link != entry)
		link = &(*link)->in_bucket;
	*link = entry->in_bucket;
	free(entry);
}

/* Takes a kept entry out of the order of age. */
static void leave_order(struct table *table, struct entry *entry)
{
	if (entry->older)
		entry->older->newer = entry->newer;
	else
		table->oldest = entry->newer;
	if (entry->newer)
		entry->newer->older = entry->older;
	else
		table->newest = entry->older;
	table->kept--;
}

static void forget_oldest(struct table *table)
{
	struct entry *entry = table->oldest;
	entry->older = NULL; /* it has none; static analysis does not know */
	leave_order(table, entry);
	unlink_entry(table, entry);
}

/* A kept entry that is not to be believed becomes a claim. */
static void claim_again(struct table *table, struct entry *entry)
{
	leave_order(table, entry);
	entry->kept = false;
	table->claimed++;
}

static void keep(struct table *table, struct entry *entry, const uint8_t *digest, int64_t now,
                 const struct config *config)
{
	entry->kept = true;
	entry->first_waiter = entry->last_waiter = NULL;
	entry->expires_ns = now + config->ttl.ns;
	memcpy(entry->digest, digest, SLUICE_DIGEST_SIZE);
	entry->older = table->newest;
	entry->newer = NULL;
	if (table->newest)
		table->newest->newer = entry;
	else
		table->oldest = entry;
	table->newest = entry;
	table->claimed--;
	table->kept++;
	while (table->oldest && table->kept > (size_t)config->capacity)
		forget_oldest(table);
}

/* A few at a time: each call adds one entry at most, and nobody has to wait while a hundred thousand go at once. */
static void expire(struct table *table, int64_t now)
{
	for (int i = 0; i < 16 && table->oldest && table->oldest->expires_ns <= now; i++)
		forget_oldest(table);
}

static enum sluice_verdict judge(struct sluice_event *event, const uint8_t *kept_digest)
{
	if (memcmp(sluice_digest(event), kept_digest, SLUICE_DIGEST_SIZE) == 0)
		return SLUICE_DONE;
	return sluice_conflict(event, "an event with this message id and different content is already stored");
}

static void wait_for(struct table *table, struct entry *entry, struct waiter *waiter)
{
	if (entry->last_waiter)
		entry->last_waiter->next = waiter;
	else
		entry->first_waiter = waiter;
	entry->last_waiter = waiter;
	table->waiting++;
}

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	struct table *table = stage->state;
	struct sluice_bytes id = event->message_id;
	if (!id.data)
		return sluice_fail(event, "the event has no message id; idempotency needs a parse stage before it");
	struct waiter *waiter = sluice_alloc(event, sizeof(*waiter));
	if (!waiter)
		return sluice_retry(event, 0, "the bound on bytes in flight is reached");
	*waiter = (struct waiter){.event = event};
	uint64_t hash = stage->host->hash(id.data, id.size), epoch = sluice_store_epoch(stage);
	int64_t now = stage->host->now_ns();
	uint8_t kept_digest[SLUICE_DIGEST_SIZE];
	enum { NEW, KEPT, IN_FLIGHT, NO_MEMORY } found;

	(void)pthread_mutex_lock(&table->lock);
	expire(table, now);
	struct entry *entry = find(table, hash, id);
	if (!entry) {
		entry = claim(table, hash, id);
		*sluice_local(stage, event) = entry;
		found = entry ? NEW : NO_MEMORY;
	} else if (entry->kept && (entry->expires_ns <= now || entry->epoch < epoch)) {
		claim_again(table, entry);
		*sluice_local(stage, event) = entry;
		found = NEW;
	} else if (entry->kept) {
		memcpy(kept_digest, entry->digest, sizeof(kept_digest));
		found = KEPT;
	} else {
		wait_for(table, entry, waiter);
		found = IN_FLIGHT;
	}
	if (found == NEW)
		entry->epoch = epoch;
	(void)pthread_mutex_unlock(&table->lock);

	switch (found) {
	case NEW:
		return SLUICE_PASS;
	case KEPT:
		return judge(event, kept_digest);
	case IN_FLIGHT:
		return SLUICE_WAIT; /* the event may be on its way again already */
	case NO_MEMORY:
	default:
		return sluice_retry(event, 0, "out of memory");
	}
}

/* The claim's event is kept, and so the fate of those that waited for it is known. */
static void answer_waiters(struct waiter *waiter, const uint8_t *digest)
{
	while (waiter) {
		struct waiter *next = waiter->next; /* gone with its event */
		sluice_resume(waiter->event, judge(waiter->event, digest));
		waiter = next;
	}
}

static void settle(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	struct table *table = stage->state;
	struct entry *entry = *sluice_local(stage, event);
	if (!entry)
		return;
	*sluice_local(stage, event) = NULL;
	bool kept = verdict == SLUICE_PASS || verdict == SLUICE_DONE;
	const uint8_t *digest = kept ? sluice_digest(event) : NULL;
	struct sluice_event *heir = NULL;

	(void)pthread_mutex_lock(&table->lock);
	struct waiter *waiter = entry->first_waiter;
	if (kept) {
		for (const struct waiter *each = waiter; each; each = each->next)
			table->waiting--;
		keep(table, entry, digest, stage->host->now_ns(), stage->config);
	} else if (waiter) {
		heir = waiter->event;
		*sluice_local(stage, heir) = entry;
		entry->epoch = sluice_store_epoch(stage);
		entry->first_waiter = waiter->next;
		if (!entry->first_waiter)
			entry->last_waiter = NULL;
		table->waiting--;
	} else {
		table->claimed--;
		unlink_entry(table, entry);
	}
	(void)pthread_mutex_unlock(&table->lock);

	if (kept)
		answer_waiters(waiter, digest);
	else if (heir)
		sluice_resume(heir, SLUICE_PASS);
}

/* Frees the memory of what has expired, also while no event comes. */
static int64_t tick(struct sluice_stage *stage)
{
	const struct config *config = stage->config;
	struct table *table = stage->state;
	int64_t now = stage->host->now_ns();
	(void)pthread_mutex_lock(&table->lock);
	expire(table, now);
	int64_t next_ns = table->oldest ? table->oldest->expires_ns - now : config->ttl.ns;
	(void)pthread_mutex_unlock(&table->lock);
	return next_ns > 0 ? next_ns : 1;
}

static void observe(struct sluice_stage *stage, struct sluice_observer *observer)
{
	struct table *table = stage->state;
	(void)pthread_mutex_lock(&table->lock);
	double kept = (double)table->kept, claimed = (double)table->claimed, waiting = (double)table->waiting;
	(void)pthread_mutex_unlock(&table->lock);
	observer->gauge(observer, "idempotency_entries", "state", "kept", kept, "Message ids remembered, by state.");
	observer->gauge(observer, "idempotency_entries", "state", "in_flight", claimed, NULL);
	observer->gauge(observer, "idempotency_waiting", NULL, NULL, waiting,
	                "Duplicates waiting for the outcome of an event in flight.");
}

static const struct sluice_option options[] = {
	SLUICE_OPTION_INT(struct config, capacity, .name = "capacity", .fallback = "100000", .min = 1, .max = 100000000,
                          .unit = "message ids", .help = "stored ids remembered at most; the oldest are dropped"),
	SLUICE_OPTION_DURATION(struct config, ttl, .name = "ttl", .fallback = "24h", .min = 1000000,
                               .max = INT64_C(31536000000000000), .help = "how long a stored id is remembered"),
	SLUICE_OPTION_END,
};

static const struct sluice_idempotency_ops ops = {.process = process};

SLUICE_STAGE(idempotency, ops, .name = "memory", .version = SLUICE_VERSION,
             .summary = "remembers stored message ids; duplicates of events in flight wait for their outcome",
             .options = options, .config_size = sizeof(struct config), .create = create, .settle = settle, .tick = tick,
             .observe = observe, .destroy = destroy);
