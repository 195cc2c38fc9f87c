/*
 * How the store fared; see store_health.h.
 */
#include "runtime/store_health.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define LENIENCY_NS (250 * NS_PER_MS)
#define KNOWN_FOR_NS (3 * NS_PER_S)
#define REFUSING_FOR_NS NS_PER_S

void store_health_init(struct store_health *health)
{
	*health = (struct store_health){0};
	(void)pthread_mutex_init(&health->lock, NULL);
}

void store_health_finish(struct store_health *health)
{
	(void)pthread_mutex_destroy(&health->lock);
}

static bool store_works(const enum sluice_verdict *verdicts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (verdicts[i] == SLUICE_PASS || verdicts[i] == SLUICE_DONE || verdicts[i] == SLUICE_REJECT)
			return true;
	return false;
}

static bool store_waits(const enum sluice_verdict *verdicts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (verdicts[i] == SLUICE_RETRY)
			return true;
	return false;
}

static void recover(struct store_health *health)
{
	if (atomic_load_explicit(&health->failing_since_ns, memory_order_relaxed) != 0)
		atomic_store(&health->failing_since_ns, 0);
	if (atomic_load_explicit(&health->refused, memory_order_relaxed) != 0)
		atomic_store(&health->refused, 0);
}

/* FAIL is about the event alone, unless nothing else is heard. */
static bool refuses_all(struct store_health *health, size_t count, int64_t now_ns)
{
	(void)pthread_mutex_lock(&health->lock);
	const size_t before = atomic_fetch_add(&health->refused, count);
	if (before == 0)
		health->refusing_since_ns = now_ns;
	bool all = before + count >= STORE_REFUSALS && now_ns - health->refusing_since_ns >= REFUSING_FOR_NS;
	(void)pthread_mutex_unlock(&health->lock);
	return all;
}

void store_health_note(struct store_health *health, const enum sluice_verdict *verdicts, size_t count,
                       const char *reason)
{
	if (store_works(verdicts, count)) {
		recover(health);
		return;
	}
	int64_t now = clock_now_ns(), none = 0;
	const bool waits = store_waits(verdicts, count);
	if (!waits && !refuses_all(health, count, now))
		return;
	(void)pthread_mutex_lock(&health->lock);
	(void)snprintf(health->reason, sizeof(health->reason), "%s%s", waits ? "" : "every event is refused: ",
	               reason && reason[0] ? reason : "the persist stage stores nothing and gives no reason");
	(void)pthread_mutex_unlock(&health->lock);
	if (now - atomic_exchange(&health->failed_ns, now) > KNOWN_FOR_NS)
		atomic_store(&health->failing_since_ns, now);
	else
		(void)atomic_compare_exchange_strong(&health->failing_since_ns, &none, now);
}

static bool is_bad(struct store_health *health, char reason_out[SLUICE_DETAIL_MAX])
{
	int64_t now = clock_now_ns(), since = atomic_load(&health->failing_since_ns);
	if (since == 0 || now - since < LENIENCY_NS || now - atomic_load(&health->failed_ns) > KNOWN_FOR_NS)
		return false;
	(void)pthread_mutex_lock(&health->lock);
	memcpy(reason_out, health->reason, SLUICE_DETAIL_MAX);
	(void)pthread_mutex_unlock(&health->lock);
	return true;
}

/* Passes on what a stage says, and notes whether it told of trouble. */
struct relay {
	struct sluice_observer observer; /* must be first */
	struct sluice_observer *to;
	bool told;
};

static void relay_gauge(struct sluice_observer *observer, const char *name, const char *label, const char *label_value,
                        double value, const char *help)
{
	struct relay *relay = (struct relay *)(void *)observer;
	relay->to->gauge(relay->to, name, label, label_value, value, help);
}

static void relay_unhealthy(struct sluice_observer *observer, const char *reason)
{
	struct relay *relay = (struct relay *)(void *)observer;
	relay->told = true;
	relay->to->unhealthy(relay->to, reason);
}

void store_health_observe(struct store_health *health, struct sluice_stage *persist, struct sluice_observer *observer)
{
	struct relay relay = {.observer = {.gauge = relay_gauge, .unhealthy = relay_unhealthy}, .to = observer};
	char reason[SLUICE_DETAIL_MAX];
	if (persist->ops->observe)
		persist->ops->observe(persist, &relay.observer);
	if (relay.told)
		atomic_store(&health->told, true);
	else if (atomic_exchange(&health->told, false))
		atomic_store(&health->failing_since_ns, 0);
	else if (is_bad(health, reason))
		observer->unhealthy(observer, reason);
}
