/* Figures for people; see figure.h. */
#include "lab/run/figure.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { DIGITS = 3, DECIMALS_MAX = 6 };

#define MS_LEAST 0.1
#define NO_FIGURE "–"
#define MINUS "−"
#define NO_BREAK "\u00a0" /* between a figure and its unit */

static const struct scale {
	const char *unit, *next;
	double step;
} scales[] = {
	{"µs", "ms", 1000},   {"ms", "s", 1000},    {"bytes", "KiB", 1024}, {"B", "KiB", 1024},
	{"KiB", "MiB", 1024}, {"MiB", "GiB", 1024}, {NULL, NULL, 0},
};

static void scale_up(double *value, const char **unit)
{
	for (const struct scale *scale = scales; scale->unit; scale++) {
		if (strcmp(scale->unit, *unit) == 0 && fabs(*value) >= scale->step) {
			*value /= scale->step;
			*unit = scale->next;
		}
	}
}

/* How many decimals leave three digits; negative: the last digits before the point mean nothing. */
static int decimals_of(double size)
{
	int decimals = size > 0 ? DIGITS - 1 - (int)floor(log10(size)) : 0;
	return decimals > DECIMALS_MAX ? DECIMALS_MAX : decimals;
}

static double nearest(double value, int decimals)
{
	double unit = pow(10, -decimals);
	return round(value / unit) * unit;
}

/* The digits of a size that is not negative, with commas before the point. */
static void write_digits(double size, int decimals, char *out, size_t room)
{
	char plain[400];
	(void)snprintf(plain, sizeof(plain), "%.*f", decimals > 0 ? decimals : 0,
	               decimals < 0 ? nearest(size, decimals) : size);
	size_t whole = strcspn(plain, "."), used = 0;
	for (const char *at = plain; *at && used + 2 < room; at++) {
		size_t done = (size_t)(at - plain);
		if (done > 0 && done < whole && (whole - done) % 3 == 0)
			out[used++] = ',';
		out[used++] = *at;
	}
	out[used] = '\0';
}

static struct figure figure_from(const char *sign, double size, int decimals, const char *unit)
{
	struct figure figure;
	char digits[24];
	bool is_rate = strcmp(unit, "1/s") == 0;
	write_digits(size, decimals, digits, sizeof(digits));
	(void)snprintf(figure.text, sizeof(figure.text), "%s%s%s%.8s", sign, digits,
	               unit[0] && !is_rate ? NO_BREAK : "", is_rate ? "/s" : unit);
	return figure;
}

struct figure figure_of(double value, const char *unit)
{
	if (!isfinite(value))
		return (struct figure){NO_FIGURE};
	if (strcmp(unit, "ms") == 0 && value > 0 && value < MS_LEAST)
		return figure_of(value * 1000, "µs");
	scale_up(&value, &unit);
	return figure_from(value < 0 ? MINUS : "", fabs(value), decimals_of(fabs(value)), unit);
}

struct figure figure_given(double value, const char *unit)
{
	int decimals = 0;
	if (!isfinite(value))
		return (struct figure){NO_FIGURE};
	while (decimals < DECIMALS_MAX && fabs(value - nearest(value, decimals)) > fabs(value) * 1e-9)
		decimals++;
	return figure_from(value < 0 ? MINUS : "", fabs(value), decimals, unit);
}

struct figure figure_count(double count)
{
	return isfinite(count) ? figure_from(count < 0 ? MINUS : "", fabs(count), 0, "") : (struct figure){NO_FIGURE};
}

struct figure figure_change(double fraction)
{
	double percent = fabs(fraction) * 100;
	if (!isfinite(percent))
		return (struct figure){NO_FIGURE};
	int decimals = decimals_of(percent);
	return figure_from(fraction < 0 ? MINUS : fraction > 0 ? "+" : "", percent, decimals > 2 ? 2 : decimals, "%");
}

struct figure figure_share(double fraction)
{
	return isfinite(fraction) ? figure_from("", fabs(fraction) * 100, 2, "%") : (struct figure){NO_FIGURE};
}
