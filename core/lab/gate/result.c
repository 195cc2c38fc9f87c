/*
 * What a result's rows look like: by name, and as people write their figures.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lab/gate/criteria.h"

const struct gate_row *gate_find_row(const struct gate_result *result, const char *name)
{
	for (size_t i = 0; i < result->row_count; i++) {
		if (strcmp(gate_criterion_name(result->rows[i].criterion), name) == 0)
			return &result->rows[i];
	}
	return NULL;
}

static void print_ms(double ms, char *text, size_t size)
{
	int decimals = ms < 1 ? 3 : ms < 10 ? 2 : ms < 1000 ? 1 : 0;
	if (isinf(ms))
		(void)snprintf(text, size, "no answer");
	else
		(void)snprintf(text, size, "%.*f ms", decimals, ms);
}

/* A fraction as a percentage with as many decimals as it takes to tell 0.067 from 0.10. */
static void print_share(double share, bool with_sign, char *text, size_t size)
{
	double percent = 100 * share, distance = fabs(percent) < 50 ? fabs(percent) : fabs(100 - percent);
	int decimals = with_sign ? 1 : distance < 1 ? 3 : distance < 10 ? 2 : 1;
	if (isinf(percent))
		(void)snprintf(text, size, "no answer");
	else
		(void)snprintf(text, size, with_sign ? "%+.*f %%" : "%.*f %%", decimals, percent);
}

static void print_value(enum gate_unit unit, double value, char *text, size_t size)
{
	if (isnan(value))
		(void)snprintf(text, size, "unknown");
	else if (unit == GATE_MS)
		print_ms(value, text, size);
	else if (unit == GATE_NUMBER)
		(void)snprintf(text, size, "%.0f", value);
	else
		print_share(value, unit == GATE_CHANGE, text, size);
}

/* As short as in the gate file. */
static void print_limit(const struct gate_row *row, char *text, size_t size)
{
	enum gate_unit unit = row->criterion->unit;
	const char *relation = row->criterion->at_least ? "≥" : "≤";
	if (isnan(row->limit))
		(void)snprintf(text, size, "not worse");
	else if (unit == GATE_MS)
		(void)snprintf(text, size, "%s %g ms", relation, row->limit);
	else if (unit == GATE_NUMBER)
		(void)snprintf(text, size, "%s %g", relation, row->limit);
	else
		(void)snprintf(text, size, "%s %g %%", relation, 100 * row->limit);
}

struct gate_row_texts gate_row_texts(const struct gate_row *row)
{
	enum gate_unit unit = row->criterion->unit;
	bool is_exact = row->count == 0 && row->low == row->high;
	struct gate_row_texts texts = {"", "", "", ""};
	char low[24], high[24];
	print_limit(row, texts.limit, sizeof(texts.limit));
	if (row->verdict == GATE_NOT_MEASURED)
		return texts;
	print_value(unit, row->point, texts.value, sizeof(texts.value));
	if (isnan(row->low) || is_exact)
		return texts;
	print_value(unit, row->low, low, sizeof(low));
	print_value(unit, row->high, high, sizeof(high));
	(void)snprintf(texts.bound, sizeof(texts.bound), "%s", row->criterion->at_least ? low : high);
	(void)snprintf(texts.interval, sizeof(texts.interval), "%s to %s", low, high);
	return texts;
}
