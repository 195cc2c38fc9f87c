/*
 * A guard over a change; see guard.h.
 */
#include "serve/guard.h"

#include <inttypes.h>

#include "base/clock.h"
#include "serve/observation.h"
#include "serve/service.h"

struct sums {
	uint64_t responses, errors, dead_letters;
};

static struct sums count(struct service *service)
{
	struct sums sums = {0};
	struct pipeline_stats stats;
	for (int status = 0; status < SERVICE_STATUS_MAX; status++) {
		uint64_t count = atomic_load_explicit(&service->statuses[status], memory_order_relaxed);
		sums.responses += count;
		sums.errors += status >= 500 ? count : 0;
	}
	(void)pthread_rwlock_rdlock(&service->lock);
	pipeline_get_stats(service->pipeline, &stats);
	(void)pthread_rwlock_unlock(&service->lock);
	sums.dead_letters = stats.dead_letters;
	return sums;
}

/* False, and the first reason: a stage cannot do its work. */
static bool is_healthy(struct service *service, struct sluice_error *reason)
{
	struct observation seen;
	(void)pthread_rwlock_rdlock(&service->lock);
	observation_take(&seen, service->pipeline);
	(void)pthread_rwlock_unlock(&service->lock);
	const bool healthy = seen.reason_count == 0;
	if (!healthy)
		(void)sluice_error_set(reason, "health: %s", seen.reasons[0]);
	observation_finish(&seen);
	return healthy;
}

bool guard_may_begin(struct service *service, struct sluice_error *error)
{
	struct sluice_error reason = {0};
	return is_healthy(service, &reason) ||
	       sluice_error_set(error, "a guard needs a healthy server to begin with; %s", reason.text);
}

void guard_begin(struct guard *guard, struct service *service, int64_t ns, int64_t before)
{
	const struct sums now = count(service);
	const int64_t now_ns = clock_now_ns();
	*guard = (struct guard){.until_ns = now_ns + ns,
	                        .begun_ns = now_ns,
	                        .responses = now.responses,
	                        .errors = now.errors,
	                        .dead_letters = now.dead_letters,
	                        .before = before};
}

bool guard_trips(struct guard *guard, struct service *service, struct sluice_error *reason)
{
	const struct sums now = count(service);
	const uint64_t errors = now.errors - guard->errors, responses = now.responses - guard->responses;
	if (errors > 0 && guard->onset_ns == 0)
		guard->onset_ns = clock_now_ns();
	if (now.dead_letters > guard->dead_letters) {
		(void)sluice_error_set(reason, "an acknowledged event was refused by the store");
		return true;
	}
	if (errors >= GUARD_ERRORS && (double)errors > GUARD_SHARE * (double)responses) {
		(void)sluice_error_set(reason, "%" PRIu64 " of %" PRIu64 " responses were 5xx", errors, responses);
		return true;
	}
	return !is_healthy(service, reason);
}
