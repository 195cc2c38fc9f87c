/*
 * sluice prune: removes old events from a pipeline's store.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/json_writer.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "runtime/abi.h"
#include "runtime/config.h"
#include "runtime/pipeline.h"
#include "runtime/retention.h"
#include "yaml/quantity.h"

/* After a step, a pause so many times as long, so that a server beside it stores on. */
enum { PAUSE_SHARE = 2 };

static bool pause_between(void *context, int64_t took_ns)
{
	const int64_t pause_ns = PAUSE_SHARE * took_ns;
	(void)context;
	(void)nanosleep(
		&(struct timespec){.tv_sec = (time_t)(pause_ns / NS_PER_S), .tv_nsec = (long)(pause_ns % NS_PER_S)},
		NULL);
	return true;
}

static bool count_one(void *context, const struct sluice_record *record)
{
	struct retention_walk *walk = context;
	walk->looked++;
	walk->pruned += record->received_at_ns < walk->before_ns;
	return true;
}

static bool count(struct config *config, struct retention_walk *walk, struct sluice_error *error)
{
	struct sluice_stage *stage = pipeline_open_store(config, error);
	if (!stage)
		return false;
	const struct sluice_persist_ops *persist = stage->ops->of.persist;
	bool ok = persist->scan ? persist->scan(stage, INT64_MIN, count_one, walk, error)
	                        : sluice_error_set(error, "persist/%s cannot list its events", stage->ops->name);
	pipeline_close_store(stage);
	return ok;
}

static bool prune(struct config *config, struct retention_walk *walk, struct sluice_error *error)
{
	struct pipeline *pipeline = pipeline_create_store(config, error);
	if (!pipeline)
		return false;
	struct sluice_stage *store = pipeline_store(pipeline);
	walk->pause = pause_between;
	bool ok = abi_retention(store->ops)
	                  ? retention_prune(store, walk, error)
	                  : sluice_error_set(error, "persist/%s cannot remove events", store->ops->name);
	retention_log(walk);
	pipeline_destroy(pipeline);
	return ok;
}

static void print_json(const struct retention_walk *walk, int64_t age_ns, bool dry)
{
	char before[CLOCK_TEXT_SIZE];
	struct buffer text = {0};
	struct json_writer json = {.out = &text};
	clock_format_utc(walk->before_ns, before);
	jsonw_object(&json, NULL);
	jsonw_text(&json, "received_before", before);
	jsonw_int(&json, "looked_at", (int64_t)walk->looked);
	jsonw_int(&json, "pruned", dry ? 0 : (int64_t)walk->pruned);
	jsonw_int(&json, "old", (int64_t)walk->pruned);
	jsonw_int(&json, "duplicates_known_for_s", age_ns / NS_PER_S);
	jsonw_end_object(&json);
	puts(text.data);
	buffer_finish(&text);
}

static void print_text(const struct retention_walk *walk, const char *age, bool dry)
{
	char before[CLOCK_TEXT_SIZE];
	clock_format_utc(walk->before_ns, before);
	printf("%s %" PRIu64 " of %" PRIu64 " events: those received before %s.\n", dry ? "Would remove" : "Removed",
	       walk->pruned, walk->looked, before);
	printf("Duplicates are known for %s: a webhook that is sent again later than that is stored again.\n", age);
	if (!dry)
		printf("The audit trail keeps a row for each removal, so `sluice audit verify` still proves the rest; dead letters stay.\n");
}

static int run_prune(const struct arguments *arguments, const char *age, int64_t age_ns, bool dry)
{
	struct sluice_error error = {0};
	struct retention_walk walk = {.before_ns = clock_wall_ns() - age_ns, .to_the_end = true};
	struct config *config = config_load(&arguments->request, &error);
	bool ok = config && (dry ? count : prune)(config, &walk, &error);
	config_free(config);
	if (!ok) {
		if (walk.pruned > 0)
			fprintf(stderr, "sluice prune: stopped after %" PRIu64 " events were removed\n", walk.pruned);
		say(error.text);
		return STATUS_CANNOT;
	}
	if (arguments->json)
		print_json(&walk, age_ns, dry);
	else
		print_text(&walk, age, dry);
	return STATUS_YES;
}

static bool read_age(const char *text, int64_t *age_ns_out)
{
	if (!text) {
		say("sluice prune: --older is required: how long events are kept, such as 90d");
		return false;
	}
	if (!quantity_parse_duration(text, age_ns_out)) {
		fprintf(stderr, "sluice prune: --older: expected a duration such as 90d or 720h, got \"%s\"\n", text);
		return false;
	}
	if (*age_ns_out >= RETENTION_MIN_NS)
		return true;
	fprintf(stderr,
	        "sluice prune: --older: expected at least 24h, got %s: senders may try again for days, and an event that is "
	        "no longer stored would be stored twice\n",
	        text);
	return false;
}

int cmd_prune(int argc, char **argv)
{
	const char *older = NULL;
	bool dry = false;
	const struct flag flags[] = {
		{"older", "DURATION", "remove events received longer ago than this; at least 24h", NULL, &older},
		{"dry-run", NULL, "only count them", &dry, NULL},
		{NULL, NULL, NULL, NULL, NULL},
	};
	struct command command = {
		.usage = "prune PIPELINE --older DURATION",
		.about =
			"Removes old events from the pipeline's store, in small transactions, beside a running server or without one. Their audit rows stay, and each removal adds an audit row that names what it removed, so that `sluice audit verify` and `sluice verify` tell a removed event from a lost one. Dead letters stay. A duplicate is known as long as its original is stored: choose a time longer than any sender tries again. The setting persist.retention does the same regularly. Exit status: 0 done, 2 it could not be done.",
		.example = "sluice prune pipelines/postgres.yaml --older 90d",
		.flags = flags,
		.common = FLAGS_PIPELINE | FLAGS_JSON,
		.operands_min = 1,
		.operands_max = 1,
	};
	struct arguments arguments;
	int64_t age_ns;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	status = read_age(older, &age_ns) ? run_prune(&arguments, older, age_ns, dry) : STATUS_CANNOT;
	arguments_finish(&arguments);
	return status;
}
