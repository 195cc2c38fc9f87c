/*
 * A canary as JSON and as metrics; see canary.h.
 */
#include <inttypes.h>

#include "base/clock.h"
#include "base/json_writer.h"
#include "serve/canary_state.h"

static const char *const phase_names[] = {
	[CANARY_NONE] = "none",           [CANARY_COUNTING] = "counting", [CANARY_RUNNING] = "running",
	[CANARY_PROMOTING] = "promoting", [CANARY_PROMOTED] = "promoted", [CANARY_LEAVING] = "leaving",
};

static const char *const guard_names[] = {"errors", "slow", "pool_timeouts"};

static void write_arm(struct json_writer *json, const char *key, const struct split_counts *counts)
{
	jsonw_object(json, key);
	jsonw_int(json, "events", (int64_t)counts->events);
	jsonw_int(json, "errors", (int64_t)counts->errors);
	jsonw_int(json, "slow", (int64_t)counts->slow);
	jsonw_int(json, "inside", (int64_t)counts->inside);
	jsonw_end_object(json);
}

static void write_arms(struct json_writer *json, const char *key, const struct split_counts arms[ARM_COUNT])
{
	jsonw_object(json, key);
	for (int arm = 0; arm < ARM_COUNT; arm++)
		write_arm(json, arm_names[arm], &arms[arm]);
	jsonw_end_object(json);
}

static void write_guard(struct json_writer *json, const char *name, double evidence, const char *const keys[2],
                        uint64_t bad, uint64_t others)
{
	jsonw_object(json, NULL);
	jsonw_text(json, "name", name);
	jsonw_int(json, keys[0], (int64_t)bad);
	jsonw_int(json, keys[1], (int64_t)others);
	jsonw_real(json, "evidence", evidence < 1e9 ? evidence : 1e9, 3);
	jsonw_int(json, "trips_at", SEQUENTIAL_TRIPS);
	jsonw_end_object(json);
}

static void write_guards(const struct canary *canary, struct json_writer *json)
{
	static const char *const arms[] = {"canary", "baseline"}, *const periods[] = {"periods_worse",
	                                                                              "periods_better"};
	jsonw_array(json, "guards");
	for (int kind = 0; kind < GUARD_KINDS; kind++) {
		const struct sequential *test = &canary->guards[kind].test;
		if (kind == GUARD_OF_SLOW)
			write_guard(json, guard_names[kind], windows_evidence(&canary->windows), periods,
			            canary->windows.worse, canary->windows.better);
		else
			write_guard(json, guard_names[kind], sequential_evidence(test), arms, test->bad, test->others);
	}
	jsonw_end_array(json);
}

static void write_trip(const struct canary *canary, struct json_writer *json)
{
	jsonw_object(json, "tripped");
	jsonw_text(json, "reason", canary->reason);
	jsonw_int(json, "onset_ms", canary_since_begun_ms(canary, canary->onset_ns));
	jsonw_int(json, "detected_ms", canary_since_begun_ms(canary, canary->detected_ns));
	jsonw_int(json, "swapped_ms", canary_since_begun_ms(canary, canary->swapped_ns));
	if (canary->last_ns)
		jsonw_int(json, "last_response_ms", canary_since_begun_ms(canary, canary->last_ns));
	jsonw_end_object(json);
}

static void write_seconds(const struct canary *canary, struct json_writer *json)
{
	const size_t kept = canary->second_count < CANARY_SECONDS ? canary->second_count : CANARY_SECONDS;
	jsonw_array(json, "last_60s");
	for (size_t i = canary->second_count - kept; i < canary->second_count; i++) {
		jsonw_object(json, NULL);
		write_arms(json, "arms", canary->seconds[i % CANARY_SECONDS].arms);
		jsonw_end_object(json);
	}
	jsonw_end_array(json);
}

void canary_write(struct canary *canary, struct json_writer *json)
{
	(void)pthread_mutex_lock(&canary->lock);
	jsonw_text(json, "phase", phase_names[canary->phase]);
	if (canary->begun_ns) {
		jsonw_int(json, "generation", canary->generation);
		jsonw_real(json, "weight", canary->weight, 4);
		jsonw_real(json, "slow_ms", (double)canary->limit_ns / (double)NS_PER_MS, 3);
		write_arms(json, "arms", canary->arms);
		write_guards(canary, json);
		jsonw_object(json, "ratio");
		jsonw_int(json, "events", (int64_t)canary->ratio.events);
		jsonw_int(json, "canary", (int64_t)canary->ratio.candidate);
		jsonw_real(json, "deviation", canary_deviation(canary), 2);
		jsonw_end_object(json);
		if (canary->reason[0])
			write_trip(canary, json);
		write_seconds(canary, json);
	}
	(void)pthread_mutex_unlock(&canary->lock);
}

static void write_counter(struct buffer *out, const char *name, const char *help, const uint64_t values[ARM_COUNT])
{
	buffer_printf(out, "# HELP webhook_canary_%s_total %s\n# TYPE webhook_canary_%s_total counter\n", name, help,
	              name);
	for (int arm = 0; arm < ARM_COUNT; arm++)
		buffer_printf(out, "webhook_canary_%s_total{arm=\"%s\"} %" PRIu64 "\n", name, arm_names[arm],
		              values[arm]);
}

void canary_write_metrics(struct canary *canary, struct buffer *out)
{
	struct split_counts baseline, candidate;
	split_count(canary->split, ARM_BASELINE, &baseline);
	split_count(canary->split, ARM_CANDIDATE, &candidate);
	(void)pthread_mutex_lock(&canary->lock);
	const bool is_on = canary->phase != CANARY_NONE;
	(void)pthread_mutex_unlock(&canary->lock);
	buffer_add_text(
		out, "# HELP webhook_canary_share Share of the streams that the canary is to have; 0: there is none.\n"
		     "# TYPE webhook_canary_share gauge\n");
	buffer_printf(out, "webhook_canary_share %g\n", is_on ? canary_asked_share(canary) : 0.0);
	write_counter(out, "events", "Responses since the last canary began, by arm.",
	              (const uint64_t[]){baseline.events, candidate.events});
	write_counter(out, "errors",
	              "Responses of 5xx or after the sender's deadline since the last canary began, by arm.",
	              (const uint64_t[]){baseline.errors, candidate.errors});
	write_counter(out, "slow", "Responses over the baseline's P95 since the last canary began, by arm.",
	              (const uint64_t[]){baseline.slow, candidate.slow});
}
