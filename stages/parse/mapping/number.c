/*
 * The range is decided by the digits, never by strtod(): that costs a microsecond for the five bytes of 1e308.
 */
#include "number.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
	INTEGER_DIGITS = 309,       /* of the largest double */
	EXPONENT_BOUND = 2000000000 /* beyond what any digits before it can make up for */
};

/* 2^1024 - 2^970: from here on numbers are rounded to infinity. */
static const char overflow_digits[] =
	"17976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797758720"
	"70963302864166928879109465555478519404026306574886715058206819089020007083836762738548458177115317"
	"64475730270069855571366959622842914819860834936475292719074168444365510704342711559699508093042880"
	"177904174497792";

struct parts {
	const char *digits, *digits_end; /* of the significand, with its point */
	const char *point;               /* or the end of the digits */
	int64_t exponent;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *at, const char *end)
{
	while (at < end && is_digit(*at))
		at++;
	return at;
}

static const char *skip_zeros(const char *at, const char *end)
{
	while (at < end && (*at == '0' || *at == '.'))
		at++;
	return at;
}

/* Whether the digits, which begin with none that is 0, are those of a number that overflows or more. */
static bool reach_overflow(const char *at, const char *end)
{
	for (size_t i = 0; i < INTEGER_DIGITS; i++, at++) {
		if (at < end && *at == '.')
			at++;
		char digit = '0';
		if (at < end)
			digit = *at;
		if (digit != overflow_digits[i])
			return digit > overflow_digits[i];
	}
	return true;
}

/* A number 0.d1d2d3… × 10^exponent overflows by its exponent alone, or by its digits at the largest exponent. */
static bool overflows(const struct parts *parts)
{
	const char *first = skip_zeros(parts->digits, parts->digits_end);
	if (first == parts->digits_end)
		return false;
	/* Of a first digit behind the point, the zeros between them count. */
	int64_t exponent = parts->exponent + (parts->point - first) + (first > parts->point);
	return exponent > INTEGER_DIGITS || (exponent == INTEGER_DIGITS && reach_overflow(first, parts->digits_end));
}

static bool scan_exponent(const char **at, const char *end, int64_t *exponent_out)
{
	const char *c = *at + 1;
	bool negative = c < end && *c == '-';
	if (c < end && (*c == '-' || *c == '+'))
		c++;
	const char *first = c;
	int64_t exponent = 0;
	for (; c < end && is_digit(*c); c++)
		exponent = exponent < EXPONENT_BOUND ? exponent * 10 + (*c - '0') : exponent;
	*exponent_out = negative ? -exponent : exponent;
	*at = c;
	return c > first;
}

enum number_fault number_scan(const char **at, const char *end)
{
	const char *c = *at;
	c += c < end && *c == '-';
	struct parts parts = {.digits = c};
	c = c < end && *c == '0' ? c + 1 : skip_digits(c, end);
	*at = parts.point = parts.digits_end = c;
	if (c == parts.digits)
		return NUMBER_MALFORMED;
	if (c < end && *c == '.') {
		*at = parts.digits_end = skip_digits(c + 1, end);
		if (*at == c + 1)
			return NUMBER_MALFORMED;
	}
	if (*at < end && (**at == 'e' || **at == 'E')) {
		if (!scan_exponent(at, end, &parts.exponent))
			return NUMBER_MALFORMED;
	} else if (parts.point - parts.digits < INTEGER_DIGITS) {
		return NUMBER_VALID;
	}
	return overflows(&parts) ? NUMBER_OUT_OF_RANGE : NUMBER_VALID;
}
