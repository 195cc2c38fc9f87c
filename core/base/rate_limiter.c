/*
 * Rates of senders; see rate_limiter.h.
 */
#include "base/rate_limiter.h"

#include "base/digest.h"

void rate_limiter_init(struct rate_limiter *limiter)
{
	(void)pthread_mutex_init(&limiter->lock, NULL);
}

void rate_limiter_finish(struct rate_limiter *limiter)
{
	(void)pthread_mutex_destroy(&limiter->lock);
}

/* Its own place, or that of the key whose bucket is full soonest, and now its own. */
static struct rate_place *place_of(struct rate_limiter *limiter, uint64_t key)
{
	struct rate_place *places = &limiter->places[key % (RATE_KEYS_MAX / RATE_PLACES) * RATE_PLACES];
	struct rate_place *chosen = places;
	for (int i = 0; i < RATE_PLACES; i++) {
		if (places[i].full_ns && places[i].key == key)
			return &places[i];
		if (places[i].full_ns < chosen->full_ns)
			chosen = &places[i];
	}
	*chosen = (struct rate_place){.key = key};
	return chosen;
}

int64_t rate_limiter_take(struct rate_limiter *limiter, const struct rate *rate, const void *key, size_t size,
                          int64_t now_ns)
{
	const uint64_t hash = digest_hash(key, size);
	const int64_t tolerance_ns = (rate->burst - 1) * rate->interval_ns;
	(void)pthread_mutex_lock(&limiter->lock);
	struct rate_place *place = place_of(limiter, hash);
	int64_t start_ns = place->full_ns > now_ns ? place->full_ns : now_ns;
	/* An empty bucket of a slower rate, which a reload has ended, is an empty one of this. */
	if (start_ns > now_ns + tolerance_ns + rate->interval_ns)
		start_ns = now_ns + tolerance_ns + rate->interval_ns;
	const int64_t wait_ns = start_ns - now_ns - tolerance_ns;
	place->full_ns = wait_ns > 0 ? start_ns : start_ns + rate->interval_ns;
	(void)pthread_mutex_unlock(&limiter->lock);
	return wait_ns > 0 ? wait_ns : 0;
}
