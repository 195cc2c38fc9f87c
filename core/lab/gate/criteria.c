/*
 * The criteria: how each is measured, then the table.
 */
#include "lab/gate/criteria.h"

#include <assert.h>
#include <string.h>

#include "lab/judge/verify.h"

#define LATENCY_MAX INT64_C(3600000000000) /* an hour */

static bool measure_latency(const struct gate_source *source, const struct gate_criterion *criterion,
                            struct gate_figure *figure, struct sluice_error *error)
{
	(void)criterion, (void)error;
	figure->sample = source->facts->latency;
	figure->measured = figure->sample.count > 0;
	return true;
}

static void set_share(struct gate_figure *figure, bool known, size_t bad, size_t count)
{
	figure->measured = known && count > 0;
	figure->bad = bad;
	figure->count = count;
}

static bool measure_acceptance(const struct gate_source *source, const struct gate_criterion *criterion,
                               struct gate_figure *figure, struct sluice_error *error)
{
	(void)criterion, (void)error;
	set_share(figure, source->answers_known, source->expected_good - source->accepted, source->expected_good);
	return true;
}

static bool measure_errors(const struct gate_source *source, const struct gate_criterion *criterion,
                           struct gate_figure *figure, struct sluice_error *error)
{
	(void)criterion, (void)error;
	set_share(figure, source->answers_known, source->errors, source->facts->requests);
	return true;
}

/* What verify.json says of an arm; NULL: that one was not verified. */
static const json_t *find_verified(const json_t *verified, uint8_t arm)
{
	size_t i;
	json_t *each;
	json_array_foreach (json_object_get(verified, "arms"), i, each) {
		const json_t *number = json_object_get(each, "arm");
		if (json_is_integer(number) && json_integer_value(number) == arm)
			return each;
	}
	return NULL;
}

static bool measure_violations(const struct gate_source *source, const struct gate_criterion *criterion,
                               struct gate_figure *figure, struct sluice_error *error)
{
	(void)criterion;
	if (!gate_has_file(source->run->path, RUN_VERIFY))
		return true;
	json_t *verified = run_read_json(source->run->path, RUN_VERIFY, error);
	if (!verified)
		return false;
	const json_t *counts = find_verified(verified, source->arm);
	bool good = true;
	for (size_t i = 0; counts && i < VERIFY_VIOLATIONS; i++) {
		const json_t *count = json_object_get(counts, verify_violation_names[i]);
		if (!json_is_integer(count) || json_integer_value(count) < 0)
			good = sluice_error_set(error, "%s/" RUN_VERIFY ": %s of arm %u: expected how many",
			                        source->run->path, verify_violation_names[i], source->arm);
		figure->value += (double)json_integer_value(count);
	}
	figure->measured = counts != NULL;
	json_decref(verified);
	return good;
}

/* Waiting and being parked included, as webhook_http_latency_by_stage_ms has it; −1: it did not run. */
static int64_t whole(const struct trace_record *record, enum sluice_kind kind)
{
	const struct trace_stage *stage = &record->stages[kind];
	if (stage->work_ns < 0)
		return -1;
	return stage->work_ns + (stage->wait_ns > 0 ? stage->wait_ns : 0) +
	       (stage->parked_ns > 0 ? stage->parked_ns : 0);
}

static int64_t auth_ns(const struct trace_record *record)
{
	return whole(record, SLUICE_KIND_AUTH);
}

static int64_t parse_ns(const struct trace_record *record)
{
	return whole(record, SLUICE_KIND_PARSE);
}

static int64_t idempotency_ns(const struct trace_record *record)
{
	return whole(record, SLUICE_KIND_IDEMPOTENCY);
}

static int64_t queue_ns(const struct trace_record *record)
{
	return whole(record, SLUICE_KIND_QUEUE);
}

static int64_t persist_ns(const struct trace_record *record)
{
	return whole(record, SLUICE_KIND_PERSIST);
}

static int64_t store_ns(const struct trace_record *record)
{
	int64_t queue = queue_ns(record), persist = persist_ns(record);
	if (persist < 0)
		return queue;
	return persist + (queue > 0 ? queue : 0);
}

static int64_t respond_ns(const struct trace_record *record)
{
	return record->respond_ns;
}

static bool is_joined(const struct trace_record *record)
{
	for (size_t i = 0; i < gate_criteria_count; i++) {
		if (gate_criteria[i].time && gate_criteria[i].time(record) >= 0)
			return true;
	}
	return false;
}

/* Of a request that the server's trace does not have, no stage can be shown to have kept its limit. */
static bool measure_stage(const struct gate_source *source, const struct gate_criterion *criterion,
                          struct gate_figure *figure, struct sluice_error *error)
{
	(void)error;
	figure->sample = gate_collect(source->run, criterion->time, is_joined, &source->facts->arena);
	/* Otherwise the stage never ran, or there was no trace. */
	figure->measured = figure->sample.count > 0 && figure->sample.sorted[0] != INT64_MAX;
	if (!figure->measured)
		figure->sample.count = 0;
	return true;
}

static const char *const baseline_choices[] = {"not_worse", NULL};

/* The options, by the name that the criterion has in a gate file. */
#define LATENCY(NAME, HELP)                                                                                            \
	{                                                                                                              \
		SLUICE_OPTION_DURATION(union gate_limit, duration, .name = GATE_GROUP NAME, .min = 1,                  \
		                       .max = LATENCY_MAX, .help = HELP)                                               \
	}
#define SHARE(NAME, MAX, HELP)                                                                                         \
	{                                                                                                              \
		SLUICE_OPTION_PERCENT(union gate_limit, share, .name = GATE_GROUP NAME, .max = MAX, .help = HELP)      \
	}
#define NUMBER(NAME, MAX, UNIT, HELP)                                                                                  \
	{                                                                                                              \
		SLUICE_OPTION_INT(union gate_limit, number, .name = GATE_GROUP NAME, .max = MAX, .unit = UNIT,         \
		                  .help = HELP)                                                                        \
	}

/* The total is what was promised, so a stage over its target is never worse than CONDITIONAL. */
#define STAGE(NAME, TITLE)                                                                                             \
	.title = TITLE " P95", .unit = GATE_MS,                                                                        \
	.option = LATENCY("stages." NAME, "P95 of the stage, waiting included"), .measure = measure_stage,             \
	.judge = gate_judge_latency, .fraction = 0.95, .missed = GATE_CONDITIONAL, .proven = GATE_CONDITIONAL,         \
	.measuring = "join the server's trace to the run (sluice run --trace), which has the times of the stages"

#define KEEP_INPUT "keep the input in the run directory, so that responses can be compared with what was sent"
#define RECORD_GAUGES "use a run whose blocks record the server's memory and descriptors, as sluice compare writes them"

const struct gate_criterion gate_criteria[] = {
	{
		.title = "P95",
		.unit = GATE_MS,
		.option = LATENCY(GATE_P95, "95 of 100 requests within it, from when they were due"),
		.measure = measure_latency,
		.judge = gate_judge_latency,
		.fraction = 0.95,
		.missed = GATE_CONDITIONAL, /* unless an edge says otherwise */
		.proven = GATE_FLAG,
		.measuring = "send requests",
	},
	{
		.title = "P99",
		.unit = GATE_MS,
		.option = LATENCY("p99", "99 of 100 requests within it"),
		.measure = measure_latency,
		.judge = gate_judge_latency,
		.fraction = 0.99,
		.missed = GATE_CONDITIONAL,
		.proven = GATE_FLAG,
		.measuring = "send requests",
	},
	{
		.title = "accepted",
		.unit = GATE_SHARE,
		.option = SHARE("acceptance", 100, "of the requests that should be taken, at least"),
		.measure = measure_acceptance,
		.judge = gate_judge_share,
		.at_least = true,
		.missed = GATE_CONDITIONAL,
		.proven = GATE_ROLLBACK,
		.measuring = KEEP_INPUT,
	},
	{
		.title = "errors",
		.unit = GATE_SHARE,
		.option = SHARE("errors", 100,
                                "of all requests, at most without the answer that is right for their kind"),
		.measure = measure_errors,
		.judge = gate_judge_share,
		.missed = GATE_CONDITIONAL,
		.proven = GATE_ROLLBACK,
		.measuring = KEEP_INPUT,
	},
	{
		.title = "violations",
		.unit = GATE_NUMBER,
		.option = NUMBER("violations", 1000000000, "events", "lost, doubled, altered or out of order, at most"),
		.measure = measure_violations,
		.judge = gate_judge_value,
		.always = true, /* what was stored wrongly is wrong whatever the load was */
		.missed = GATE_ROLLBACK,
		.proven = GATE_ROLLBACK,
		.measuring = "compare the stored events with the responses: sluice verify RUN/ PIPELINE",
		.rollback = "sluice verify lists the events that are lost, doubled, altered or out of order.",
	},
	{
		STAGE("auth", "auth"),
		.time = auth_ns,
		.dominant = "checking signatures takes longest: look at body sizes and the number of secrets",
	},
	{
		STAGE("parse", "parse"),
		.time = parse_ns,
		.dominant = "parsing takes longest: reuse buffers, or use a parser that reads less of the body",
	},
	{
		STAGE("idempotency", "idempotency"),
		.time = idempotency_ns,
		.dominant = "looking up duplicates takes longest: keep recent ids in memory",
	},
	{
		STAGE("queue", "queue"),
		.time = queue_ns,
		.dominant =
			"waiting in the queue takes longest: store what waits in one transaction, then add workers while the database has room",
	},
	{
		STAGE("persist", "persist"),
		.time = persist_ns,
		.dominant =
			"storing takes longest: store what waits in one transaction, then check whether events wait for a connection to the database",
	},
	{
		STAGE("store", "queue and persist"),
		.time = store_ns,
	},
	{
		STAGE("respond", "respond"),
		.time = respond_ns,
		.dominant = "sending responses takes longest: look at the connections and at the senders",
	},
	{
		.title = "P95 against the baseline",
		.unit = GATE_CHANGE,
		.option = {SLUICE_OPTION_CHOICE(union gate_limit, choice, .name = GATE_GROUP "baseline",
                                                .choices = baseline_choices,
                                                .help = "P95 against the other arm, or against --baseline")},
		.measure = gate_measure_change,
		.judge = gate_judge_change,
		.missed = GATE_CONDITIONAL,
		.proven = GATE_ROLLBACK,
		.measuring = "judge a directory of sluice compare, or name one with --baseline",
	},
	{
		.title = "memory growth",
		.unit = GATE_CHANGE,
		.option = SHARE("memory_growth", 1000,
                                "of the server's memory from before its first block to after its last, at most"),
		.measure = gate_measure_memory_growth,
		.judge = gate_judge_growth,
		.missed = GATE_ROLLBACK,
		.proven = GATE_ROLLBACK,
		.measuring = RECORD_GAUGES,
	},
	{
		.title = "memory",
		.unit = GATE_SHARE,
		.option = SHARE("memory", 100, "of the machine's memory held by the server, at most"),
		.measure = gate_measure_memory,
		.judge = gate_judge_value,
		.missed = GATE_ROLLBACK,
		.proven = GATE_ROLLBACK,
		.measuring = RECORD_GAUGES,
	},
	{
		.title = "descriptor growth",
		.unit = GATE_NUMBER,
		.option = NUMBER("descriptor_growth", 1000000, "descriptors",
                                 "from before the first block to after the last, at most"),
		.measure = gate_measure_descriptor_growth,
		.judge = gate_judge_value,
		.missed = GATE_ROLLBACK,
		.proven = GATE_ROLLBACK,
		.measuring = RECORD_GAUGES,
	},
};

const size_t gate_criteria_count = sizeof(gate_criteria) / sizeof(gate_criteria[0]);
_Static_assert(sizeof(gate_criteria) / sizeof(gate_criteria[0]) <= GATE_CRITERIA_MAX, "figures have a place for each");

const char *gate_criterion_name(const struct gate_criterion *criterion)
{
	return criterion->option->name + strlen(GATE_GROUP);
}

size_t gate_criterion_index(const char *name)
{
	size_t i = 0;
	while (strcmp(gate_criterion_name(&gate_criteria[i]), name) != 0) {
		i++;
		assert(i < gate_criteria_count);
	}
	return i;
}
