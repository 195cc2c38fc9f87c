/*
 * A canary; see canary.h.
 */
#include "serve/canary_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "serve/observation.h"
#include "serve/service.h"

enum {
	LIMIT_REQUESTS = 200, /* that a P95 is taken from */
	FOLLOWED_EVENTS = 50, /* of the baseline, that the limit is changed after */
	RATIO_EVENTS = 1000,  /* that the ratio is judged from, in as many buckets as … */
	RATIO_BUCKETS = 100,
};

#define RATIO_DEVIATION 5.0 /* standard deviations */
#define SILENCE_NS (2 * NS_PER_S)
#define PRIOR_EVENTS 20.0 /* that the asked share counts for, while few events are there */

static const double ramp[] = {0.01, 0.05, 0.25, 0.5, 1};

struct canary *canary_create(struct service *service)
{
	struct canary *canary = must_calloc(1, sizeof(*canary));
	canary->service = service;
	canary->split = generations_split(service->generations);
	(void)pthread_mutex_init(&canary->lock, NULL);
	return canary;
}

void canary_destroy(struct canary *canary)
{
	(void)pthread_mutex_destroy(&canary->lock);
	free(canary);
}

enum canary_phase canary_phase(struct canary *canary)
{
	(void)pthread_mutex_lock(&canary->lock);
	enum canary_phase phase = canary->phase;
	(void)pthread_mutex_unlock(&canary->lock);
	return phase;
}

static void set_phase(struct canary *canary, enum canary_phase phase)
{
	(void)pthread_mutex_lock(&canary->lock);
	canary->phase = phase;
	(void)pthread_mutex_unlock(&canary->lock);
}

/* At least one bucket, and not all. */
static size_t buckets_of(double weight)
{
	const double buckets = round(weight * SPLIT_BUCKETS);
	return buckets < 1 ? 1 : buckets > SPLIT_BUCKETS - 1 ? SPLIT_BUCKETS - 1 : (size_t)buckets;
}

double canary_asked_share(const struct canary *canary)
{
	return (double)split_share(canary->split) / SPLIT_BUCKETS;
}

/* How far the traffic of the candidate is from its share, in standard deviations of what chance does with as many buckets. */
double canary_deviation(const struct canary *canary)
{
	const struct split_ratio *ratio = &canary->ratio;
	const double share = canary_asked_share(canary);
	if (ratio->events < RATIO_EVENTS || ratio->buckets < RATIO_BUCKETS || share <= 0 || share >= 1)
		return 0;
	const double spread = sqrt(share * (1 - share) * (1 / ratio->buckets + 1 / (double)ratio->events));
	return ((double)ratio->candidate / (double)ratio->events - share) / spread;
}

int64_t canary_since_begun_ms(const struct canary *canary, int64_t ns)
{
	return ns > canary->begun_ns ? (ns - canary->begun_ns) / NS_PER_MS : 0;
}

/* To begin with, the P95 of all requests before the canary. */
static int64_t measure_limit(struct service *service)
{
	struct histogram *total = must_calloc(1, sizeof(*total));
	size_t count;
	(void)pthread_rwlock_rdlock(&service->lock);
	(void)stats_series(service->stats, &count);
	(void)stats_get_recent(service->stats, count - 1, total);
	if (total->count < LIMIT_REQUESTS)
		stats_get(service->stats, count - 1, total);
	(void)pthread_rwlock_unlock(&service->lock);
	const int64_t limit_ns = total->count < LIMIT_REQUESTS ? 0 : histogram_quantile(total, 0.95);
	free(total);
	return limit_ns;
}

void canary_begin(struct canary *canary, struct pipeline *candidate, double weight)
{
	struct service *service = canary->service;
	const int64_t now_ns = clock_now_ns(), limit_ns = measure_limit(service);
	(void)pthread_rwlock_wrlock(&service->lock);
	generations_try(service->generations, candidate);
	(void)pthread_rwlock_unlock(&service->lock);
	split_set_limit(canary->split, limit_ns);
	(void)pthread_mutex_lock(&canary->lock);
	canary->phase = CANARY_COUNTING;
	canary->candidate = candidate;
	canary->generation = service->generation + 1;
	canary->weight = weight;
	canary->begun_ns = canary->stepped_ns = canary->second_ns = now_ns;
	canary->limit_ns = limit_ns;
	canary->followed = (struct split_counts){0};
	memset(canary->guards, 0, sizeof(canary->guards));
	canary->windows = (struct windows){0};
	memset(canary->arms, 0, sizeof(canary->arms));
	canary->ratio = (struct split_ratio){0};
	canary->second_count = 0;
	canary->reason[0] = '\0';
	canary->onset_ns = canary->detected_ns = canary->swapped_ns = canary->last_ns = 0;
	(void)pthread_mutex_unlock(&canary->lock);
}

void canary_step(struct canary *canary, double weight)
{
	(void)pthread_mutex_lock(&canary->lock);
	canary->weight = weight;
	canary->stepped_ns = clock_now_ns();
	canary->ratio = (struct split_ratio){0};
	(void)pthread_mutex_unlock(&canary->lock);
	split_set_share(canary->split, buckets_of(weight));
}

double canary_next_weight(struct canary *canary)
{
	size_t i = 0;
	const double weight = canary->phase == CANARY_NONE ? 0 : canary->weight;
	while (ramp[i] <= weight && ramp[i] < 1)
		i++;
	return ramp[i];
}

void canary_promote(struct canary *canary)
{
	set_phase(canary, CANARY_PROMOTING);
	split_set_share(canary->split, SPLIT_BUCKETS);
}

void canary_published(struct canary *canary)
{
	set_phase(canary, CANARY_PROMOTED);
}

void canary_leave(struct canary *canary, const char *reason)
{
	const int64_t now_ns = clock_now_ns();
	split_set_share(canary->split, 0);
	(void)pthread_mutex_lock(&canary->lock);
	canary->phase = CANARY_LEAVING;
	canary->swapped_ns = clock_now_ns();
	if (reason) {
		(void)snprintf(canary->reason, sizeof(canary->reason), "%s", reason);
		canary->detected_ns = now_ns;
	}
	(void)pthread_mutex_unlock(&canary->lock);
}

/* With the lock. */
static double observed_share(const struct canary *canary)
{
	return (canary->weight * PRIOR_EVENTS + (double)canary->ratio.candidate) /
	       (PRIOR_EVENTS + (double)canary->ratio.events);
}

static uint64_t more(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static void note_seen(struct guard_state *guard, uint64_t bad, uint64_t others)
{
	guard->seen[ARM_CANDIDATE] = bad;
	guard->seen[ARM_BASELINE] = others;
}

/* With the lock: whether a guard is sure. */
static bool judge(struct canary *canary, enum guard_kind kind, uint64_t bad, uint64_t others, int64_t now_ns)
{
	struct guard_state *guard = &canary->guards[kind];
	sequential_add(&guard->test, observed_share(canary), more(bad, guard->seen[ARM_CANDIDATE]),
	               more(others, guard->seen[ARM_BASELINE]));
	note_seen(guard, bad, others);
	const double evidence = sequential_evidence(&guard->test);
	if (evidence <= 1 || guard->calm_ns == 0)
		guard->calm_ns = now_ns;
	return evidence >= SEQUENTIAL_TRIPS;
}

struct looked {
	struct split_counts arms[ARM_COUNT];
	uint64_t pool_timeouts[ARM_COUNT];
	const char *unhealthy; /* the candidate, while the baseline is well; NULL: it is not */
};

static uint64_t pool_timeouts(const struct observation *seen)
{
	double count = 0;
	for (size_t i = 0; i < seen->gauge_count; i++)
		count += strcmp(seen->gauges[i].name, "db_pool_timeouts") == 0 ? seen->gauges[i].value : 0;
	return (uint64_t)count;
}

/* What both arms share says nothing about either. */
static void look_at_stages(struct canary *canary, struct looked *looked, char reason[CANARY_REASON_SIZE])
{
	struct service *service = canary->service;
	struct observation candidate, baseline;
	(void)pthread_rwlock_rdlock(&service->lock);
	observation_take(&candidate, canary->candidate);
	observation_take(&baseline, service->pipeline);
	if (!pipeline_shares_stage(canary->candidate, service->pipeline, SLUICE_KIND_PERSIST)) {
		looked->pool_timeouts[ARM_CANDIDATE] = pool_timeouts(&candidate);
		looked->pool_timeouts[ARM_BASELINE] = pool_timeouts(&baseline);
	}
	(void)pthread_rwlock_unlock(&service->lock);
	if (candidate.reason_count > 0 && baseline.reason_count == 0) {
		(void)snprintf(reason, CANARY_REASON_SIZE, "health: %s", candidate.reasons[0]);
		looked->unhealthy = reason;
	}
	observation_finish(&candidate);
	observation_finish(&baseline);
}

static bool is_silent(const struct split_counts *arm, int64_t limit_ns, int64_t now_ns)
{
	const int64_t since_ns = arm->answered_ns > arm->occupied_ns ? arm->answered_ns : arm->occupied_ns;
	return arm->inside > 0 && now_ns - since_ns > SILENCE_NS && now_ns - since_ns > 10 * limit_ns;
}

static bool has_many_errors(const struct split_counts *arm)
{
	return sequential_are_many(arm->errors, arm->events);
}

/* With the lock: whether the canary is slow. A stream that is slow wherever it is, is no fault of the canary: so of its buckets
 * that with most slow responses does not count. */
static bool judge_slow(struct canary *canary, const struct split_counts arms[ARM_COUNT], bool is_warm, int64_t now_ns)
{
	const struct window_counts now[ARM_COUNT] = {
		[ARM_BASELINE] = {arms[ARM_BASELINE].events, arms[ARM_BASELINE].slow},
		[ARM_CANDIDATE] = {arms[ARM_CANDIDATE].events,
	                           more(arms[ARM_CANDIDATE].slow, canary->ratio.most_slow)}};
	struct window_counts since[ARM_COUNT];
	bool is_over = is_warm && now_ns - canary->window_ns >= WINDOW_MS * NS_PER_MS;
	for (int arm = 0; arm < ARM_COUNT; arm++) {
		since[arm] = (struct window_counts){more(now[arm].events, canary->window[arm].events),
		                                    more(now[arm].bad, canary->window[arm].bad)};
		is_over = is_over && since[arm].events >= WINDOW_EVENTS;
	}
	if (is_over)
		windows_add(&canary->windows, since[ARM_CANDIDATE], since[ARM_BASELINE]);
	if (is_over || !is_warm) {
		canary->window_ns = now_ns;
		memcpy(canary->window, now, sizeof(canary->window));
	}
	const double evidence = windows_evidence(&canary->windows);
	if (evidence <= 1 || canary->guards[GUARD_OF_SLOW].calm_ns == 0)
		canary->guards[GUARD_OF_SLOW].calm_ns = now_ns;
	return evidence >= SEQUENTIAL_TRIPS;
}

static bool guard_says(struct canary *canary, enum guard_kind kind, const char *what, struct sluice_error *reason)
{
	const struct sequential *test = &canary->guards[kind].test;
	canary->onset_ns = canary->guards[kind].calm_ns;
	(void)sluice_error_set(reason,
	                       "%" PRIu64 " %s in the canary, %" PRIu64 " in the baseline, with %.1f %% of the traffic",
	                       test->bad, what, test->others, 100 * observed_share(canary));
	return true;
}

/* With the lock. */
static bool find_reason(struct canary *canary, const struct looked *looked, int64_t now_ns, struct sluice_error *reason)
{
	const struct split_counts *candidate = &looked->arms[ARM_CANDIDATE], *baseline = &looked->arms[ARM_BASELINE];
	const bool is_warm = now_ns - canary->stepped_ns > CANARY_WARM_UP_S * NS_PER_S;
	if (judge(canary, GUARD_OF_ERRORS, candidate->errors, baseline->errors, now_ns))
		return guard_says(canary, GUARD_OF_ERRORS, "errors", reason);
	if (judge_slow(canary, looked->arms, is_warm, now_ns)) {
		canary->onset_ns = canary->guards[GUARD_OF_SLOW].calm_ns;
		(void)sluice_error_set(reason,
		                       "more responses over the baseline's P95 than in the baseline, in %" PRIu64
		                       " of %" PRIu64 " periods",
		                       canary->windows.worse, canary->windows.worse + canary->windows.better);
		return true;
	}
	if (judge(canary, GUARD_OF_POOL, looked->pool_timeouts[ARM_CANDIDATE], looked->pool_timeouts[ARM_BASELINE],
	          now_ns))
		return guard_says(canary, GUARD_OF_POOL, "timeouts of the pool", reason);
	canary->onset_ns = now_ns;
	if (has_many_errors(candidate) && !has_many_errors(baseline)) {
		canary->onset_ns = canary->guards[GUARD_OF_ERRORS].calm_ns;
		(void)sluice_error_set(reason, "%" PRIu64 " of %" PRIu64 " responses of the canary were errors",
		                       candidate->errors, candidate->events);
		return true;
	}
	if (looked->unhealthy)
		return !sluice_error_set(reason, "%s", looked->unhealthy);
	if (is_silent(candidate, canary->limit_ns, now_ns) && !is_silent(baseline, canary->limit_ns, now_ns)) {
		canary->onset_ns = candidate->answered_ns > candidate->occupied_ns ? candidate->answered_ns
		                                                                   : candidate->occupied_ns;
		(void)sluice_error_set(reason, "%" PRIu64 " events in the canary, and no response for %d s",
		                       candidate->inside, (int)(SILENCE_NS / NS_PER_S));
		return true;
	}
	if (is_warm && fabs(canary_deviation(canary)) > RATIO_DEVIATION) {
		canary->onset_ns = canary->stepped_ns;
		(void)sluice_error_set(reason, "the canary has %.1f %% of the traffic in place of %.1f %%",
		                       100 * (double)canary->ratio.candidate / (double)canary->ratio.events,
		                       100 * canary_asked_share(canary));
		return true;
	}
	return false;
}

/* With the lock. */
static void keep_second(struct canary *canary, const struct looked *looked, int64_t now_ns)
{
	if (now_ns - canary->second_ns < NS_PER_S)
		return;
	canary->second_ns = now_ns;
	struct second *second = &canary->seconds[canary->second_count++ % CANARY_SECONDS];
	memcpy(second->arms, looked->arms, sizeof(second->arms));
}

/* Follows the P95 of the baseline: lower while fewer than one in twenty are over it, higher while more are. From what was is
 * chosen what counts as slow from then on, for both arms alike, so the test stays valid. */
static int64_t follow_limit(struct canary *canary, const struct split_counts *baseline)
{
	const uint64_t events = baseline->events - canary->followed.events,
		       slow = baseline->slow - canary->followed.slow;
	if (events < FOLLOWED_EVENTS)
		return canary->limit_ns;
	canary->followed = *baseline;
	const double factor = 1 + 5 * ((double)slow / (double)events - 0.05);
	return (int64_t)((double)canary->limit_ns * (factor < 0.75 ? 0.75 : factor > 1.25 ? 1.25 : factor));
}

/* Until enough requests have come, nothing is slow. */
static void find_limit(struct canary *canary, const struct split_counts *baseline)
{
	const int64_t limit_ns = canary->limit_ns ? follow_limit(canary, baseline) : measure_limit(canary->service);
	if (limit_ns == canary->limit_ns)
		return;
	split_set_limit(canary->split, limit_ns);
	(void)pthread_mutex_lock(&canary->lock);
	canary->limit_ns = limit_ns;
	(void)pthread_mutex_unlock(&canary->lock);
}

static bool look_at_arms(struct canary *canary, struct sluice_error *reason)
{
	const int64_t now_ns = clock_now_ns();
	struct looked looked = {.unhealthy = NULL};
	struct split_ratio ratio;
	char unhealthy[CANARY_REASON_SIZE];
	for (int arm = 0; arm < ARM_COUNT; arm++)
		split_count(canary->split, (enum arm)arm, &looked.arms[arm]);
	split_get_ratio(canary->split, &ratio);
	look_at_stages(canary, &looked, unhealthy);
	if (now_ns - canary->second_ns >= NS_PER_S)
		find_limit(canary, &looked.arms[ARM_BASELINE]);
	(void)pthread_mutex_lock(&canary->lock);
	memcpy(canary->arms, looked.arms, sizeof(canary->arms));
	canary->ratio = ratio;
	keep_second(canary, &looked, now_ns);
	const bool trips = find_reason(canary, &looked, now_ns, reason);
	(void)pthread_mutex_unlock(&canary->lock);
	return trips;
}

/* What was before does not count. */
static void begin_running(struct canary *canary)
{
	struct looked looked = {.unhealthy = NULL};
	char unhealthy[CANARY_REASON_SIZE];
	look_at_stages(canary, &looked, unhealthy);
	(void)pthread_mutex_lock(&canary->lock);
	note_seen(&canary->guards[GUARD_OF_POOL], looked.pool_timeouts[ARM_CANDIDATE],
	          looked.pool_timeouts[ARM_BASELINE]);
	canary->phase = CANARY_RUNNING;
	canary->stepped_ns = clock_now_ns();
	const double weight = canary->weight;
	(void)pthread_mutex_unlock(&canary->lock);
	split_set_share(canary->split, buckets_of(weight));
}

static enum canary_news end(struct canary *canary, bool is_left)
{
	struct service *service = canary->service;
	struct split_counts counts;
	split_count(canary->split, ARM_CANDIDATE, &counts);
	(void)pthread_rwlock_wrlock(&service->lock);
	split_end(canary->split);
	if (is_left && generations_candidate(service->generations))
		generations_dismiss(service->generations);
	(void)pthread_rwlock_unlock(&service->lock);
	(void)pthread_mutex_lock(&canary->lock);
	canary->phase = CANARY_NONE;
	canary->candidate = NULL;
	canary->last_ns = counts.answered_ns;
	(void)pthread_mutex_unlock(&canary->lock);
	return CANARY_IS_OVER;
}

enum canary_news canary_look(struct canary *canary, struct sluice_error *reason)
{
	struct generations *generations = canary->service->generations;
	switch (canary->phase) {
	case CANARY_COUNTING:
		if (generations_may_move(generations))
			begin_running(canary);
		return CANARY_NOTHING;
	case CANARY_RUNNING:
		return look_at_arms(canary, reason) ? CANARY_TRIPS : CANARY_NOTHING;
	case CANARY_PROMOTING:
		if (look_at_arms(canary, reason))
			return CANARY_TRIPS;
		return split_is_settled(canary->split) ? CANARY_PUBLISH : CANARY_NOTHING;
	case CANARY_PROMOTED:
		return generations_live(generations) == 1 ? end(canary, false) : CANARY_NOTHING;
	case CANARY_LEAVING:
		return split_is_settled(canary->split) ? end(canary, true) : CANARY_NOTHING;
	case CANARY_NONE:
	default:
		return CANARY_NOTHING;
	}
}

void canary_get_trip(struct canary *canary, struct canary_trip *trip_out)
{
	(void)pthread_mutex_lock(&canary->lock);
	*trip_out = (struct canary_trip){
		.onset_ms = canary_since_begun_ms(canary, canary->onset_ns),
		.detected_ms = canary_since_begun_ms(canary, canary->detected_ns),
		.swapped_ms = canary_since_begun_ms(canary, canary->swapped_ns),
		.last_ms = canary_since_begun_ms(canary, canary->last_ns),
		.bad = canary->arms[ARM_CANDIDATE].errors + canary->arms[ARM_CANDIDATE].slow,
	};
	(void)pthread_mutex_unlock(&canary->lock);
}
