/* What is stored and what is in flight, by message id. */
#include "claims.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

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

struct claims {
	pthread_mutex_t lock;
	size_t capacity;
	int64_t ttl_ns;
	struct entry **buckets;
	size_t bucket_count; /* a power of two */
	size_t kept, claimed, waiting;
	struct entry *oldest, *newest;
};

enum { FIRST_BUCKETS = 1024 };

struct claims *claims_create(size_t capacity, int64_t ttl_ns)
{
	struct claims *claims = calloc(1, sizeof(*claims));
	struct entry **buckets = calloc(FIRST_BUCKETS, sizeof(struct entry *));
	if (!claims || !buckets) {
		free(claims);
		free(buckets);
		return NULL;
	}
	*claims = (struct claims){
		.capacity = capacity, .ttl_ns = ttl_ns, .buckets = buckets, .bucket_count = FIRST_BUCKETS};
	(void)pthread_mutex_init(&claims->lock, NULL);
	return claims;
}

void claims_destroy(struct claims *claims)
{
	for (size_t i = 0; i < claims->bucket_count; i++) {
		while (claims->buckets[i]) {
			struct entry *entry = claims->buckets[i];
			claims->buckets[i] = entry->in_bucket;
			free(entry);
		}
	}
	(void)pthread_mutex_destroy(&claims->lock);
	free(claims->buckets);
	free(claims);
}

static struct entry **bucket_of(struct claims *claims, uint64_t hash)
{
	return &claims->buckets[hash & (claims->bucket_count - 1)];
}

static struct entry *find(struct claims *claims, uint64_t hash, struct sluice_bytes id)
{
	for (struct entry *entry = *bucket_of(claims, hash); entry; entry = entry->in_bucket)
		if (entry->hash == hash && entry->id_size == id.size && memcmp(entry->id, id.data, id.size) == 0)
			return entry;
	return NULL;
}

/* A longer table is a gain, not a need: without memory for it the chains grow. */
static void grow(struct claims *claims)
{
	size_t count = claims->bucket_count * 2;
	struct entry **buckets = calloc(count, sizeof(struct entry *));
	if (!buckets)
		return;
	struct entry **old = claims->buckets;
	size_t old_count = claims->bucket_count;
	claims->buckets = buckets;
	claims->bucket_count = count;
	for (size_t i = 0; i < old_count; i++) {
		while (old[i]) {
			struct entry *entry = old[i];
			old[i] = entry->in_bucket;
			struct entry **bucket = bucket_of(claims, entry->hash);
			entry->in_bucket = *bucket;
			*bucket = entry;
		}
	}
	free(old);
}

static struct entry *claim(struct claims *claims, uint64_t hash, struct sluice_bytes id)
{
	struct entry *entry = calloc(1, sizeof(*entry) + id.size);
	if (!entry)
		return NULL;
	entry->hash = hash;
	entry->id_size = id.size;
	memcpy(entry->id, id.data, id.size);
	if (claims->kept + ++claims->claimed > claims->bucket_count)
		grow(claims);
	struct entry **bucket = bucket_of(claims, hash);
	entry->in_bucket = *bucket;
	*bucket = entry;
	return entry;
}

static void unlink_entry(struct claims *claims, struct entry *entry)
{
	struct entry **link = bucket_of(claims, entry->hash);
	while (*link != entry)
		link = &(*link)->in_bucket;
	*link = entry->in_bucket;
	free(entry);
}

/* Takes a kept entry out of the order of age. */
static void leave_order(struct claims *claims, struct entry *entry)
{
	if (entry->older)
		entry->older->newer = entry->newer;
	else
		claims->oldest = entry->newer;
	if (entry->newer)
		entry->newer->older = entry->older;
	else
		claims->newest = entry->older;
	claims->kept--;
}

static void forget_oldest(struct claims *claims)
{
	struct entry *entry = claims->oldest;
	entry->older = NULL; /* it has none; static analysis does not know */
	leave_order(claims, entry);
	unlink_entry(claims, entry);
}

/* A kept entry that is not to be believed becomes a claim. */
static void claim_again(struct claims *claims, struct entry *entry)
{
	leave_order(claims, entry);
	entry->kept = false;
	claims->claimed++;
}

static void keep(struct claims *claims, struct entry *entry, const uint8_t *digest, int64_t now)
{
	entry->kept = true;
	entry->first_waiter = entry->last_waiter = NULL;
	entry->expires_ns = now + claims->ttl_ns;
	memcpy(entry->digest, digest, SLUICE_DIGEST_SIZE);
	entry->older = claims->newest;
	entry->newer = NULL;
	if (claims->newest)
		claims->newest->newer = entry;
	else
		claims->oldest = entry;
	claims->newest = entry;
	claims->claimed--;
	claims->kept++;
	while (claims->oldest && claims->kept > claims->capacity)
		forget_oldest(claims);
}

/* A few at a time: each call adds one entry at most, and nobody has to wait while a hundred thousand go at once. */
static void expire(struct claims *claims, int64_t now)
{
	for (int i = 0; i < 16 && claims->oldest && claims->oldest->expires_ns <= now; i++)
		forget_oldest(claims);
}

/* What counts as the same is for the parse stage to say, and what is stored for the store: the digest alone tells only of
 * what is the same in all. */
static bool may_be_same(const struct sluice_event *event)
{
	const struct sluice_same_content *content = event->host->extension(SLUICE_SAME_CONTENT);
	return content && content->may_be_same(event);
}

enum sluice_verdict claims_judge(struct sluice_event *event, const uint8_t digest[SLUICE_DIGEST_SIZE])
{
	if (memcmp(sluice_digest(event), digest, SLUICE_DIGEST_SIZE) == 0)
		return SLUICE_DONE;
	if (may_be_same(event))
		return SLUICE_PASS;
	return sluice_conflict(event, "an event with this message id and different content is already stored");
}

static void wait_for(struct claims *claims, struct entry *entry, struct waiter *waiter)
{
	if (entry->last_waiter)
		entry->last_waiter->next = waiter;
	else
		entry->first_waiter = waiter;
	entry->last_waiter = waiter;
	claims->waiting++;
}

/* `believes`: what is remembered of an id counts. */
static enum sluice_verdict claim_id(struct claims *claims, struct sluice_stage *stage, struct sluice_event *event,
                                    bool believes)
{
	struct sluice_bytes id = event->message_id;
	struct waiter *waiter = sluice_alloc(event, sizeof(*waiter));
	if (!waiter)
		return sluice_retry(event, 0, "the bound on bytes in flight is reached");
	*waiter = (struct waiter){.event = event};
	uint64_t hash = stage->host->hash(id.data, id.size), epoch = sluice_store_epoch(stage);
	int64_t now = stage->host->now_ns();
	uint8_t kept_digest[SLUICE_DIGEST_SIZE];
	enum { NEW, KEPT, IN_FLIGHT, NO_MEMORY } found;

	(void)pthread_mutex_lock(&claims->lock);
	expire(claims, now);
	struct entry *entry = find(claims, hash, id);
	if (!entry) {
		entry = claim(claims, hash, id);
		*sluice_local(stage, event) = entry;
		found = entry ? NEW : NO_MEMORY;
	} else if (entry->kept && (!believes || entry->expires_ns <= now || entry->epoch < epoch)) {
		claim_again(claims, entry);
		*sluice_local(stage, event) = entry;
		found = NEW;
	} else if (entry->kept) {
		memcpy(kept_digest, entry->digest, sizeof(kept_digest));
		found = KEPT;
	} else {
		wait_for(claims, entry, waiter);
		found = IN_FLIGHT;
	}
	if (found == NEW)
		entry->epoch = epoch;
	(void)pthread_mutex_unlock(&claims->lock);

	switch (found) {
	case NEW:
		return SLUICE_PASS;
	case KEPT:
		return claims_judge(event, kept_digest);
	case IN_FLIGHT:
		return SLUICE_WAIT; /* the event may be on its way again already */
	case NO_MEMORY:
	default:
		return sluice_retry(event, 0, "out of memory");
	}
}

enum sluice_verdict claims_process(struct claims *claims, struct sluice_stage *stage, struct sluice_event *event)
{
	if (!event->message_id.data)
		return sluice_fail(event, "the event has no message id; idempotency needs a parse stage before it");
	enum sluice_verdict verdict = claim_id(claims, stage, event, true);
	if (verdict == SLUICE_PASS &&
	    !*sluice_local(stage, event)) /* the store decides: the event needs the claim for that */
		return claim_id(claims, stage, event, false);
	return verdict;
}

/* The claim's event is kept, and so the fate of those that waited for it is known. For those of which the store has to
 * decide, the claim is free again. */
static void answer_waiters(struct claims *claims, struct sluice_stage *stage, struct waiter *waiter,
                           const uint8_t *digest)
{
	while (waiter) {
		struct waiter *next = waiter->next; /* gone with its event */
		enum sluice_verdict verdict = claims_judge(waiter->event, digest);
		if (verdict == SLUICE_PASS)
			verdict = claim_id(claims, stage, waiter->event, false);
		if (verdict != SLUICE_WAIT)
			sluice_resume(waiter->event, verdict);
		waiter = next;
	}
}

void claims_settle(struct claims *claims, struct sluice_stage *stage, struct sluice_event *event,
                   enum sluice_verdict verdict)
{
	struct entry *entry = *sluice_local(stage, event);
	if (!entry)
		return;
	*sluice_local(stage, event) = NULL;
	bool kept = verdict == SLUICE_PASS || verdict == SLUICE_DONE;
	const uint8_t *digest = kept ? sluice_digest(event) : NULL;
	struct sluice_event *heir = NULL;

	(void)pthread_mutex_lock(&claims->lock);
	struct waiter *waiter = entry->first_waiter;
	if (kept) {
		for (const struct waiter *each = waiter; each; each = each->next)
			claims->waiting--;
		keep(claims, entry, digest, stage->host->now_ns());
	} else if (waiter) {
		heir = waiter->event;
		*sluice_local(stage, heir) = entry;
		entry->epoch = sluice_store_epoch(stage);
		entry->first_waiter = waiter->next;
		if (!entry->first_waiter)
			entry->last_waiter = NULL;
		claims->waiting--;
	} else {
		claims->claimed--;
		unlink_entry(claims, entry);
	}
	(void)pthread_mutex_unlock(&claims->lock);

	if (kept)
		answer_waiters(claims, stage, waiter, digest);
	else if (heir)
		sluice_resume(heir, SLUICE_PASS);
}

int64_t claims_tick(struct claims *claims, struct sluice_stage *stage)
{
	int64_t now = stage->host->now_ns();
	(void)pthread_mutex_lock(&claims->lock);
	expire(claims, now);
	int64_t next_ns = claims->oldest ? claims->oldest->expires_ns - now : claims->ttl_ns;
	(void)pthread_mutex_unlock(&claims->lock);
	return next_ns > 0 ? next_ns : 1;
}

void claims_observe(struct claims *claims, struct sluice_observer *observer)
{
	(void)pthread_mutex_lock(&claims->lock);
	double kept = (double)claims->kept, claimed = (double)claims->claimed, waiting = (double)claims->waiting;
	(void)pthread_mutex_unlock(&claims->lock);
	observer->gauge(observer, "idempotency_entries", "state", "kept", kept, "Message ids remembered, by state.");
	observer->gauge(observer, "idempotency_entries", "state", "in_flight", claimed, NULL);
	observer->gauge(observer, "idempotency_waiting", NULL, NULL, waiting,
	                "Duplicates waiting for the outcome of an event in flight.");
}
