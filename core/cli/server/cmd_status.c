/*
 * sluice status: what a running server is doing.
 */
#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/show_json.h"
#include "client/client.h"

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));
	return value ? value : "";
}

/* Three figures that mean something, whatever the size. */
static void print_ms(const json_t *percentiles, const char *key)
{
	double ms = number(percentiles, key);
	if (number(percentiles, "count") == 0)
		(void)printf(" %9s", "-");
	else
		(void)printf(" %9.*f", ms < 1 ? 3 : ms < 10 ? 2 : 1, ms);
}

static void print_percentiles(const json_t *percentiles)
{
	(void)printf(" %9.0f", number(percentiles, "count"));
	print_ms(percentiles, "p50_ms");
	print_ms(percentiles, "p95_ms");
	print_ms(percentiles, "p99_ms");
}

static void print_stage(const json_t *stage)
{
	char name[64];
	const char *use = text(stage, "use");
	(void)snprintf(name, sizeof(name), "%s%s%s", text(stage, "stage"), use[0] ? "/" : "", use);
	(void)printf("%-22s", name);
	print_percentiles(json_object_get(json_object_get(stage, "last_10s"), "whole"));
	(void)printf("  |");
	print_percentiles(json_object_get(json_object_get(stage, "since_start"), "whole"));
	(void)printf("\n");
}

static double mean(const json_t *values)
{
	double sum = 0;
	size_t i;
	json_t *value;
	json_array_foreach (values, i, value)
		sum += json_number_value(value);
	return i > 0 ? sum / (double)i : 0;
}

static void print_overlays(const json_t *names)
{
	size_t i;
	json_t *name;
	(void)printf("overlays    %s", json_array_size(names) > 0 ? "" : "none");
	json_array_foreach (names, i, name)
		(void)printf("%s%s", i > 0 ? ", " : "", json_string_value(name));
	(void)printf("\n");
}

static void print_rollback(const json_t *rollback)
{
	if (rollback)
		(void)printf("rolled back generation %.0f was left (%s); lift it with `%s`\n", number(rollback, "left"),
		             text(rollback, "reason"), text(rollback, "lift"));
}

static void print_health(const json_t *health)
{
	size_t i;
	json_t *reason;
	(void)printf("health      %s\n", text(health, "status"));
	json_array_foreach (json_object_get(health, "reasons"), i, reason)
		(void)printf("            %s\n", json_string_value(reason));
}

static void print_counts(const char *title, const json_t *counts)
{
	const char *key;
	json_t *value;
	const char *gap = "";
	(void)printf("%s", title);
	json_object_foreach ((json_t *)(uintptr_t)counts, key, value) {
		(void)printf("%s%s %lld", gap, key, (long long)json_integer_value(value));
		gap = "   ";
	}
	(void)printf("\n");
}

static void print_table(const json_t *stats)
{
	const json_t *throughput = json_object_get(stats, "throughput");
	const json_t *workers = json_object_get(stats, "worker_utilization");
	size_t i;
	json_t *stage;
	(void)printf("pipeline    %s, generation %.0f, sluice %s, up %.0f s\n", text(stats, "pipeline"),
	             number(stats, "generation"), text(stats, "version"), number(stats, "uptime_s"));
	print_overlays(json_object_get(stats, "optimizations"));
	print_rollback(json_object_get(stats, "rolled_back"));
	print_health(json_object_get(stats, "health"));
	(void)printf("throughput  %.1f/s over the last 10 s, %.1f/s since start\n", number(throughput, "last_10s"),
	             number(throughput, "since_start"));
	print_counts("answers     ", json_object_get(stats, "requests"));
	print_counts("events      ", json_object_get(stats, "events"));
	(void)printf("in flight   %.0f events, %.0f bytes; %.0f in the queue; workers %zu, %.0f %% busy\n",
	             number(stats, "in_flight"), number(stats, "in_flight_bytes"), number(stats, "queue_depth"),
	             json_array_size(workers), mean(workers));
	(void)printf("trouble     %.0f retries, %.0f dead letters\n\n", number(stats, "retries"),
	             number(stats, "dead_letters"));
	(void)printf("%-22s %39s  | %39s\n", "", "last 10 s, ms", "since start, ms");
	(void)printf("%-22s %9s %9s %9s %9s  | %9s %9s %9s %9s\n", "stage", "count", "P50", "P95", "P99", "count",
	             "P50", "P95", "P99");
	json_array_foreach (json_object_get(stats, "stages"), i, stage)
		print_stage(stage);
}

/* Whatever answers at that address chose the words. */
static void print_plain(const json_t *stats)
{
	json_t *plain = show_json_plain(stats);
	print_table(plain);
	json_decref(plain);
}

static int show(const char *admin, bool as_json)
{
	struct sluice_error error = {0};
	struct buffer body = {0};
	long status = 0;
	int result = STATUS_CANNOT;
	if (client_get(admin, "/api/stats", NULL, &body, &status, &error)) {
		json_t *stats = status == 200 ? json_loadb(body.data, body.size, 0, NULL) : NULL;
		if (!stats)
			client_explain(&body, status, &error);
		else if (as_json)
			printable_write(stdout, PRINTABLE_TEXT, body.data, body.size);
		else
			print_plain(stats);
		if (stats)
			result = strcmp(text(json_object_get(stats, "health"), "status"), "ok") == 0 ? STATUS_YES
			                                                                             : STATUS_NO;
		json_decref(stats);
	}
	if (error.text[0])
		say(error.text);
	buffer_finish(&body);
	return result;
}

int cmd_status(int argc, char **argv)
{
	const char *admin = NULL;
	const struct flag flags[] = {
		{"admin", "URL", CLIENT_ADMIN_HELP, NULL, &admin},
		{NULL, NULL, NULL, NULL, NULL},
	};
	struct command command = {
		.usage = "status",
		.about =
			"Shows what a running server is doing: health, throughput, and the latency of each stage. Exit status: 0 healthy, 1 not healthy, 2 no answer.",
		.example = "sluice status --admin http://127.0.0.1:9464",
		.flags = flags,
		.common = FLAGS_JSON,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	status = show(admin, arguments.json);
	arguments_finish(&arguments);
	return status;
}
