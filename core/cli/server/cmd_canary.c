/*
 * sluice canary: a change on a share of a running server's traffic.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/show_json.h"
#include "client/client.h"
#include "serve/canary_plan.h"
#include "yaml/quantity.h"

struct asked {
	const char *action, *file, *weight, *enable, *disable, *admin;
	bool json;
};

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));
	return value ? value : "";
}

static void print_guard(const json_t *guard)
{
	const bool counts_periods = json_object_get(guard, "periods_worse") != NULL;
	(void)printf("%-12s%-14s ", "guard", text(guard, "name"));
	if (counts_periods)
		(void)printf("%6.0f periods worse for the canary, %6.0f better", number(guard, "periods_worse"),
		             number(guard, "periods_better"));
	else
		(void)printf("%6.0f bad in the canary, %6.0f in the baseline", number(guard, "canary"),
		             number(guard, "baseline"));
	(void)printf("; evidence %.3g of %.0f\n", number(guard, "evidence"), number(guard, "trips_at"));
}

static void print_arm(const json_t *arms, const char *name)
{
	const json_t *arm = json_object_get(arms, name);
	(void)printf("%-12s%.0f responses, %.0f errors, %.0f slow; %.0f inside\n", name, number(arm, "events"),
	             number(arm, "errors"), number(arm, "slow"), number(arm, "inside"));
}

static void print_status(const json_t *status)
{
	const json_t *arms = json_object_get(status, "arms"), *tripped = json_object_get(status, "tripped");
	size_t i;
	json_t *guard;
	(void)printf("canary      %s", text(status, "phase"));
	if (arms)
		(void)printf(", generation %.0f, weight %g %%; slow is over %.3g ms", number(status, "generation"),
		             100 * number(status, "weight"), number(status, "slow_ms"));
	(void)printf("\n");
	if (!arms)
		return;
	print_arm(arms, "baseline");
	print_arm(arms, "canary");
	json_array_foreach (json_object_get(status, "guards"), i, guard)
		print_guard(guard);
	if (tripped)
		(void)printf(
			"tripped     %s; onset %.0f ms, detected %.0f ms, swapped %.0f ms after its start; lift it "
			"with `sluice rollback --lift`\n",
			text(tripped, "reason"), number(tripped, "onset_ms"), number(tripped, "detected_ms"),
			number(tripped, "swapped_ms"));
}

static int show(const struct buffer *body, long http, bool as_json, struct sluice_error *error)
{
	json_t *status = http == 200 ? json_loadb(body->data, body->size, 0, NULL) : NULL;
	if (!status) {
		client_explain(body, http, error);
		return http == 409 || http == 422 || http == 503 ? STATUS_NO : STATUS_CANNOT;
	}
	json_t *plain = show_json_plain(status);
	if (as_json)
		printable_write(stdout, PRINTABLE_TEXT, body->data, body->size);
	else
		print_status(plain);
	json_decref(plain);
	json_decref(status);
	return STATUS_YES;
}

static void add_argument(struct buffer *path, const char *name, const char *value)
{
	if (!value)
		return;
	char *escaped = client_escape(value);
	buffer_printf(path, "&%s=%s", name, escaped);
	free(escaped);
}

static int ask(const struct asked *asked, struct sluice_error *error)
{
	struct buffer path = {0}, body = {0};
	char file[PATH_MAX];
	long http = 0;
	int status = STATUS_CANNOT;
	if (asked->file && !realpath(asked->file, file)) {
		(void)sluice_error_set(error, "%s: no such file", asked->file);
		return STATUS_CANNOT;
	}
	buffer_printf(&path, "/api/canary?do=%s", asked->action);
	add_argument(&path, "file", asked->file ? file : NULL);
	add_argument(&path, "weight", asked->weight);
	add_argument(&path, "enable", asked->enable);
	add_argument(&path, "disable", asked->disable);
	if (client_post(asked->admin, path.data, &body, &http, error))
		status = show(&body, http, asked->json, error);
	buffer_finish(&path);
	buffer_finish(&body);
	return status;
}

static int ask_status(const struct asked *asked, struct sluice_error *error)
{
	struct buffer body = {0};
	long http = 0;
	int status = client_get(asked->admin, "/api/canary", NULL, &body, &http, error)
	                     ? show(&body, http, asked->json, error)
	                     : STATUS_CANNOT;
	buffer_finish(&body);
	return status;
}

/* What may be wrong with a change, and how much of it. */
static const struct harm {
	const char *about;
	bool errors;
	double share; /* of the canary's responses that are bad */
} harms[] = {
	{"0.1 % errors", true, 0.001},     {"1 % errors", true, 0.01},        {"10 % errors", true, 0.1},
	{"50 % errors", true, 0.5},        {"10 % over the P95", false, 0.1}, {"25 % over the P95", false, 0.25},
	{"50 % over the P95", false, 0.5}, {"all over the P95", false, 1},
};

#define SLOW_BEFORE 0.05 /* what is over a P95 */

static double error_share(const json_t *requests)
{
	const char *status;
	json_t *count;
	double all = 0, errors = 0;
	json_object_foreach ((json_t *)(uintptr_t)requests, status, count) {
		all += json_number_value(count);
		errors += status[0] == '5' ? json_number_value(count) : 0;
	}
	return all > 0 ? errors / all : 0;
}

static void print_forecast(const struct harm *harm, const struct canary_forecast *forecast)
{
	if (forecast->seen < 0.95)
		(void)printf("%-20s %35s %20llu\n", harm->about, "not within 10 min",
		             (unsigned long long)forecast->p95);
	else
		(void)printf("%-20s %15.2f s, 95 %%: %8.2f s %20llu\n", harm->about, forecast->median_s,
		             forecast->p95_s, (unsigned long long)forecast->p95);
}

static json_t *forecast_as_json(const struct harm *harm, const struct canary_forecast *forecast)
{
	return json_pack("{s:s, s:b, s:f, s:f, s:f, s:f, s:I, s:I}", "harm", harm->about, "errors", harm->errors,
	                 "share", harm->share, "seen", forecast->seen, "median_s", forecast->median_s, "p95_s",
	                 forecast->p95_s, "bad_median", (json_int_t)forecast->median, "bad_p95",
	                 (json_int_t)forecast->p95);
}

static void forecast_all(double rate, double errors, double weight, bool as_json)
{
	json_t *all = json_array();
	if (!as_json) {
		(void)printf("traffic     %.1f/s over the last 10 s, %.3g %% errors since start; canary %g %%\n\n",
		             rate, 100 * errors, 100 * weight);
		(void)printf("%-20s %35s %20s\n", "harm in the canary", "seen after, median", "bad responses, 95 %");
	}
	for (size_t i = 0; i < sizeof(harms) / sizeof(harms[0]); i++) {
		const struct harm *harm = &harms[i];
		const double before = harm->errors ? errors : SLOW_BEFORE;
		struct canary_forecast forecast;
		canary_forecast(&(struct canary_plan){.rate = rate,
		                                      .weight = weight,
		                                      .before = before,
		                                      .after = harm->errors && before + harm->share < 1
		                                                       ? before + harm->share
		                                                       : harm->share,
		                                      .errors = harm->errors},
		                &forecast);
		if (!as_json)
			print_forecast(harm, &forecast);
		(void)json_array_append_new(all, forecast_as_json(harm, &forecast));
	}
	if (as_json) {
		json_t *plan = json_pack("{s:f, s:f, s:f, s:O}", "rate", rate, "errors", errors, "weight", weight,
		                         "harms", all);
		(void)show_json_print(plan, 6);
		json_decref(plan);
	}
	json_decref(all);
}

static int plan(const struct asked *asked, struct sluice_error *error)
{
	struct buffer body = {0};
	long http = 0;
	double weight = 0.05;
	int status = STATUS_CANNOT;
	if (asked->weight && (!quantity_parse_percent(asked->weight, &weight) || weight <= 0 || weight >= 1)) {
		(void)sluice_error_set(error,
		                       "--weight: expected a share of the traffic between 0%% and 100%%, such as 5%%");
		return STATUS_CANNOT;
	}
	if (!client_get(asked->admin, "/api/stats", NULL, &body, &http, error))
		return STATUS_CANNOT;
	json_t *stats = http == 200 ? json_loadb(body.data, body.size, 0, NULL) : NULL;
	const double rate = number(json_object_get(stats, "throughput"), "last_10s");
	if (!stats) {
		client_explain(&body, http, error);
	} else if (rate <= 0) {
		(void)sluice_error_set(error, "there is no traffic that a canary could be planned for");
		status = STATUS_NO;
	} else {
		forecast_all(rate, error_share(json_object_get(stats, "requests")), weight, asked->json);
		status = STATUS_YES;
	}
	json_decref(stats);
	buffer_finish(&body);
	return status;
}

static bool is_one_of(const char *name, const char *const *names)
{
	while (*names && strcmp(*names, name) != 0)
		names++;
	return *names != NULL;
}

static int run(const struct asked *asked, struct sluice_error *error)
{
	static const char *const changes[] = {"start", "step", "promote", "abort", NULL};
	const bool starts = strcmp(asked->action, "start") == 0;
	if (!starts && (asked->file || asked->enable || asked->disable)) {
		(void)sluice_error_set(error, "canary %s: only start takes a pipeline, --enable or --disable",
		                       asked->action);
		return STATUS_CANNOT;
	}
	if (strcmp(asked->action, "plan") == 0)
		return plan(asked, error);
	if (strcmp(asked->action, "status") == 0)
		return ask_status(asked, error);
	if (is_one_of(asked->action, changes))
		return ask(asked, error);
	(void)sluice_error_set(error, "canary: expected plan, start, status, step, promote or abort, got \"%s\"",
	                       asked->action);
	return STATUS_CANNOT;
}

int cmd_canary(int argc, char **argv)
{
	struct asked asked = {.action = NULL};
	const struct flag flags[] = {
		{"weight", "SHARE",
	         "of the streams, for plan, start and step, such as 5%; step goes on to 1, 5, 25, 50, 100 %", NULL,
	         &asked.weight},
		{"enable", "NAMES", "start: what serves now with these overlays, separated by commas", NULL,
	         &asked.enable},
		{"disable", "NAMES", "start: what serves now without these", NULL, &asked.disable},
		{"admin", "URL", CLIENT_ADMIN_HELP, NULL, &asked.admin},
		{NULL, NULL, NULL, NULL, NULL},
	};
	struct command command = {
		.usage = "canary plan|start|status|step|promote|abort [PIPELINE]",
		.about =
			"Tries a change on a share of a running server's traffic. The change is the server's pipeline file as it is now, another PIPELINE in the same folder, or what serves with other overlays. Streams go one way or the other as a whole, so their order holds. Guards compare errors and slow responses with those of the other streams, and give all traffic back to what served before as soon as they are sure; `sluice reload` is then refused until `sluice rollback --lift`. `plan` says beforehand, for the traffic of the last 10 s, how soon each size of harm would be seen and how many bad responses it may cost. `promote` gives it all traffic; it does not change the pipeline file. Exit status: 0 done, 1 the server refused, 2 no answer.",
		.example = "sluice canary start --enable batched-writes --weight 5%",
		.flags = flags,
		.common = FLAGS_JSON,
		.operands_min = 1,
		.operands_max = 2,
	};
	struct arguments arguments;
	struct sluice_error error = {0};
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	asked.action = arguments.operands[0];
	asked.file = arguments.operand_count > 1 ? arguments.operands[1] : NULL;
	asked.json = arguments.json;
	status = run(&asked, &error);
	if (error.text[0])
		say(error.text);
	arguments_finish(&arguments);
	return status;
}
