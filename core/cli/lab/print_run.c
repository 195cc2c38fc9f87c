/*
 * A run for people; see print_run.h.
 */
#include "cli/lab/print_run.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static void print_line(const json_t *results, const char *name, const char *title)
{
	static const char *const figures[] = {"p50_ms", "p95_ms", "p99_ms", "max_ms"};
	(void)printf("%-34s", title);
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
		(void)printf(" %10.3f", json_number_value(json_object_get(json_object_get(results, name), figures[i])));
	(void)printf("\n");
}

static void print_statuses(const json_t *statuses)
{
	const char *status;
	json_t *count;
	json_object_foreach ((json_t *)(uintptr_t)statuses, status, count)
		(void)printf("  %7" JSON_INTEGER_FORMAT " × %s\n", json_integer_value(count),
		             strcmp(status, "0") == 0 ? "no response" : status);
}

void print_run(const json_t *results, const json_t *generator, const char *directory)
{
	size_t i;
	json_t *reason;
	print_statuses(json_object_get(results, "statuses"));
	(void)printf("%.1f responses/s, %" JSON_INTEGER_FORMAT " unexpected, %" JSON_INTEGER_FORMAT " retried\n\n",
	             json_number_value(json_object_get(results, "rate")),
	             json_integer_value(json_object_get(results, "errors")),
	             json_integer_value(json_object_get(results, "retried")));
	(void)printf("%-34s %10s %10s %10s %10s\n", "latency, ms", "P50", "P95", "P99", "max");
	print_line(results, "corrected", "corrected for coordinated omission");
	print_line(results, "raw", "service latency (uncorrected)");
	(void)printf("%-34s %10.3f %10.3f %10.3f\n", "of it, the generator's own lag",
	             json_number_value(json_object_get(generator, "lag_p50_ms")),
	             json_number_value(json_object_get(generator, "lag_p95_ms")),
	             json_number_value(json_object_get(generator, "lag_p99_ms")));
	(void)printf("\n%s: %s\n", directory,
	             json_is_true(json_object_get(generator, "valid")) ? "a valid run" : "INVALID");
	json_array_foreach (json_object_get(generator, "reasons"), i, reason)
		(void)printf("  %s\n", json_string_value(reason));
}

int status_of_run(const json_t *results, const json_t *generator)
{
	if (!json_is_true(json_object_get(generator, "valid")))
		return STATUS_INVALID;
	return json_integer_value(json_object_get(results, "errors")) > 0 ? STATUS_NO : STATUS_YES;
}
