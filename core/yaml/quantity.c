/*
 * Sizes and durations share one reader and one writer over a table of units. The arithmetic is in integers, so a value
 * is exact or refused.
 */
#include "yaml/quantity.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
	bool read_only; /* accepted, never written */
};

/* Largest first: the writer takes the first that divides. */
static const struct unit size_units[] = {
	{"TiB", UINT64_C(1) << 40, false},
	{"GiB", UINT64_C(1) << 30, false},
	{"MiB", UINT64_C(1) << 20, false},
	{"KiB", UINT64_C(1) << 10, false},
	{"TB", UINT64_C(1000000000000), true},
	{"GB", UINT64_C(1000000000), true},
	{"MB", UINT64_C(1000000), true},
	{"kB", UINT64_C(1000), true},
	{"B", 1, true},
	{"", 1, false},
	{NULL, 0, false},
};

static const struct unit duration_units[] = {
	{"d", UINT64_C(86400000000000), true},
	{"h", UINT64_C(3600000000000), false},
	{"m", UINT64_C(60000000000), false},
	{"s", UINT64_C(1000000000), false},
	{"ms", UINT64_C(1000000), false},
	{"us", UINT64_C(1000), false},
	{"ns", 1, false},
	{NULL, 0, false},
};

static const struct unit *find_unit(const struct unit *units, const char *name)
{
	for (; units->name; units++) {
		if (strcmp(units->name, name) == 0)
			return units;
	}
	return NULL;
}

/* value = value * 10 + digit */
static bool push_digit(uint64_t *value, char digit)
{
	return !__builtin_mul_overflow(*value, 10, value) &&
	       !__builtin_add_overflow(*value, (uint64_t)(digit - '0'), value);
}

static bool parse_with_unit(const char *text, const struct unit *units, uint64_t *out)
{
	uint64_t whole = 0, fraction = 0, scale = 1;
	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text); text++) {
		if (!push_digit(&whole, *text))
			return false;
	}
	if (*text == '.') {
		if (!isdigit((unsigned char)*++text))
			return false;
		for (; isdigit((unsigned char)*text); text++) {
			if (!push_digit(&fraction, *text) || __builtin_mul_overflow(scale, 10, &scale))
				return false;
		}
	}
	const struct unit *unit = find_unit(units, text);
	if (!unit)
		return false;
	if (__builtin_mul_overflow(whole, unit->factor, &whole) ||
	    __builtin_mul_overflow(fraction, unit->factor, &fraction) || fraction % scale != 0 ||
	    __builtin_add_overflow(whole, fraction / scale, &whole))
		return false;
	*out = whole;
	return true;
}

static void print_with_unit(uint64_t value, const struct unit *units, struct buffer *out)
{
	while (units->read_only || value % units->factor != 0)
		units++;
	buffer_printf(out, "%" PRIu64 "%s", value / units->factor, units->name);
}

bool quantity_parse_int(const char *text, int64_t *out)
{
	const char *digits = text + (*text == '-');
	if (!isdigit((unsigned char)*digits) || (*digits == '0' && digits[1]))
		return false; /* 010 is eight to YAML 1.1 and ten to everybody else */
	char *end;
	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (errno || *end)
		return false;
	*out = value;
	return true;
}

bool quantity_parse_size(const char *text, uint64_t *out)
{
	return parse_with_unit(text, size_units, out);
}

void quantity_print_size(uint64_t bytes, struct buffer *out)
{
	if (bytes == 0)
		buffer_add_text(out, "0");
	else
		print_with_unit(bytes, size_units, out);
}

bool quantity_parse_duration(const char *text, int64_t *ns_out)
{
	uint64_t ns;
	if (strcmp(text, "0") == 0) {
		*ns_out = 0;
		return true;
	}
	if (!parse_with_unit(text, duration_units, &ns) || ns > INT64_MAX)
		return false;
	*ns_out = (int64_t)ns;
	return true;
}

void quantity_print_duration(int64_t ns, struct buffer *out)
{
	if (ns < 0) {
		buffer_add_text(out, "-");
		ns = -ns;
	}
	if (ns == 0)
		buffer_add_text(out, "0s");
	else
		print_with_unit((uint64_t)ns, duration_units, out);
}

bool quantity_parse_percent(const char *text, double *fraction_out)
{
	size_t length = strlen(text);
	if (length < 2 || text[length - 1] != '%' || strspn(text, "0123456789.") != length - 1 ||
	    !isdigit((unsigned char)*text))
		return false;
	char *end;
	double percent = strtod(text, &end);
	if (end != text + length - 1)
		return false;
	*fraction_out = percent / 100;
	return true;
}

void quantity_print_percent(double fraction, struct buffer *out)
{
	char text[64];
	double again;
	/* As few decimals as still read back as the same value. */
	for (int decimals = 0; decimals <= 30; decimals++) {
		(void)snprintf(text, sizeof(text), "%.*f%%", decimals, fraction * 100);
		if (quantity_parse_percent(text, &again) && again == fraction)
			break;
	}
	buffer_add_text(out, text);
}
