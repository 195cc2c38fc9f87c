/* How the last transactions ended. */
#include "health.h"

#include <stdio.h>
#include <string.h>

#include "real_clock.h"

#define LENIENCY_NS (250 * NS_PER_MS)
#define PROBE_COUNTS_NS (3 * NS_PER_S)

void health_init(struct health *health, struct sluice_stage *stage)
{
	*health = (struct health){.stage = stage};
	(void)pthread_mutex_init(&health->lock, NULL);
}

void health_finish(struct health *health)
{
	(void)pthread_mutex_destroy(&health->lock);
}

void health_succeeded(struct health *health)
{
	if (atomic_load_explicit(&health->failing_since_ns, memory_order_relaxed) == 0)
		return;
	(void)pthread_mutex_lock(&health->lock);
	if (atomic_exchange(&health->failing_since_ns, 0) != 0)
		sluice_log(health->stage, SLUICE_LOG_INFO, "commits_succeed");
	(void)pthread_mutex_unlock(&health->lock);
}

void health_probe_succeeded(struct health *health)
{
	if (real_now_ns() - atomic_load(&health->failed_ns) >= PROBE_COUNTS_NS)
		health_succeeded(health);
}

void health_failed(struct health *health, const char *reason)
{
	atomic_store(&health->failed_ns, real_now_ns());
	health_probe_failed(health, reason);
}

void health_probe_failed(struct health *health, const char *reason)
{
	(void)pthread_mutex_lock(&health->lock);
	if (atomic_load(&health->failing_since_ns) == 0) {
		sluice_log(health->stage, SLUICE_LOG_WARN, "commits_fail", sluice_text("cause", reason));
		atomic_store(&health->failing_since_ns, real_now_ns());
	}
	(void)snprintf(health->reason, sizeof(health->reason), "PostgreSQL cannot commit: %s", reason);
	(void)pthread_mutex_unlock(&health->lock);
}

void health_warn(struct health *health, const char *warning)
{
	(void)pthread_mutex_lock(&health->lock);
	if (warning && strcmp(warning, health->warning) != 0)
		sluice_log(health->stage, SLUICE_LOG_WARN, "server_not_durable", sluice_text("cause", warning));
	(void)snprintf(health->warning, sizeof(health->warning), "%s", warning ? warning : "");
	(void)pthread_mutex_unlock(&health->lock);
}

bool health_is_failing(struct health *health)
{
	return atomic_load_explicit(&health->failing_since_ns, memory_order_relaxed) != 0;
}

bool health_is_bad(struct health *health, char reason_out[HEALTH_SIZE])
{
	(void)pthread_mutex_lock(&health->lock);
	int64_t since_ns = atomic_load(&health->failing_since_ns);
	bool failing = since_ns != 0 && real_now_ns() - since_ns >= LENIENCY_NS;
	memcpy(reason_out, failing ? health->reason : health->warning, HEALTH_SIZE);
	(void)pthread_mutex_unlock(&health->lock);
	return reason_out[0] != '\0';
}
