/*
 * A comparison for people; see print_comparison.h.
 */
#include "cli/lab/print_comparison.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "lab/judge/outcome.h"
#include "lab/run/figure.h"

/* Three figures that mean something. */
static void print_figure(double value)
{
	double size = fabs(value);
	(void)printf(" %12.*f", size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3, value);
}

void print_change(const json_t *row)
{
	(void)printf("  %+7.1f %%", 100 * json_number_value(json_object_get(row, "change")));
	if (json_is_number(json_object_get(row, "low")))
		(void)printf("  [%+.1f, %+.1f]", 100 * json_number_value(json_object_get(row, "low")),
		             100 * json_number_value(json_object_get(row, "high")));
}

static void print_metric(const json_t *row)
{
	char title[64];
	(void)snprintf(title, sizeof(title), "%s, %s", json_string_value(json_object_get(row, "title")),
	               json_string_value(json_object_get(row, "unit")));
	(void)printf("%-38s", title);
	print_figure(json_number_value(json_object_get(row, "a")));
	print_figure(json_number_value(json_object_get(row, "b")));
	print_change(row);
	(void)printf("\n");
}

static const char *label_of(const json_t *document, size_t arm)
{
	const json_t *entry = json_array_get(json_object_get(document, "arms"), arm);
	return json_string_value(json_object_get(entry, "label"));
}

const json_t *comparison_p95(const json_t *document)
{
	const json_t *metrics = json_object_get(document, "metrics");
	for (size_t i = 0; i < json_array_size(metrics); i++)
		if (strcmp(json_string_value(json_object_get(json_array_get(metrics, i), "name")), "p95") == 0)
			return json_array_get(metrics, i);
	return NULL;
}

static void print_detectable(const json_t *document)
{
	const json_t *detectable = json_object_get(comparison_p95(document), "detectable");
	if (json_is_number(detectable))
		(void)printf("\nDetectable change of P95 with this many pairs: %s (80 %% power)\n",
		             figure_share(json_number_value(detectable)).text);
}

void print_comparison(const json_t *document, const char *directory)
{
	const json_t *verdict = json_object_get(document, "verdict");
	size_t i;
	json_t *entry;
	(void)printf("%-38s %12.12s %12.12s  %9s  %.4g %% interval\n", "", label_of(document, 0), label_of(document, 1),
	             "change", 100 * (1 - json_number_value(json_object_get(document, "alpha"))));
	json_array_foreach (json_object_get(document, "metrics"), i, entry)
		print_metric(entry);
	print_detectable(document);
	json_array_foreach (json_object_get(document, "notes"), i, entry)
		(void)printf("%s%s\n", i == 0 ? "\n" : "", json_string_value(entry));
	(void)printf("\n%s: %s\n%s/report.html\n", json_string_value(json_object_get(verdict, "outcome")),
	             json_string_value(json_object_get(verdict, "sentence")), directory);
}

int comparison_status(const json_t *document)
{
	const char *name = json_string_value(json_object_get(json_object_get(document, "verdict"), "outcome"));
	const struct outcome *outcome = name ? outcome_find(name) : NULL;
	return outcome ? outcome->status : STATUS_CANNOT;
}
