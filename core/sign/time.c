/*
 * Timestamps of requests: a number of units since 1970, or a date (RFC 3339).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sign/scheme.h"

enum { DIGITS_MAX = 18 /* fits 64 bits */ };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool read_number(const struct scheme *scheme, struct sluice_bytes text, int64_t *ns_out)
{
	int64_t number = 0;
	if (text.size == 0 || text.size > DIGITS_MAX)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		if (!is_digit(text.data[i]))
			return false;
		number = number * 10 + (text.data[i] - '0');
	}
	return !__builtin_mul_overflow(number, scheme->unit_ns, ns_out);
}

/* Takes `count` digits off the front. */
static bool take_digits(struct sluice_bytes *text, size_t count, int *out)
{
	*out = 0;
	if (text->size < count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!is_digit(text->data[i]))
			return false;
		*out = *out * 10 + (text->data[i] - '0');
	}
	text->data += count;
	text->size -= count;
	return true;
}

static bool take(struct sluice_bytes *text, const char *one_of)
{
	if (text->size == 0 || !text->data[0] || !strchr(one_of, text->data[0]))
		return false;
	text->data++;
	text->size--;
	return true;
}

/* ".123456789": at least one digit; those behind the ninth say nothing to a clock of nanoseconds. */
static bool take_fraction(struct sluice_bytes *text, int64_t *ns_out)
{
	int64_t unit = SCHEME_SECOND_NS;
	*ns_out = 0;
	if (!take(text, "."))
		return true;
	for (int digit; take_digits(text, 1, &digit);) {
		unit /= 10;
		*ns_out += digit * unit;
	}
	return is_digit(text->data[-1]);
}

/* "Z", "+02:00", "-07:00": what to take off, in seconds. */
static bool take_zone(struct sluice_bytes *text, int *offset_s)
{
	*offset_s = 0;
	if (take(text, "Zz"))
		return true;
	int sign = text->size && text->data[0] == '-' ? -1 : 1, hours, minutes;
	if (!take(text, "+-") || !take_digits(text, 2, &hours) || !take(text, ":") || !take_digits(text, 2, &minutes))
		return false;
	*offset_s = sign * (hours * 3600 + minutes * 60);
	return hours < 24 && minutes < 60;
}

static bool take_date(struct sluice_bytes *text, struct tm *date)
{
	const bool taken = take_digits(text, 4, &date->tm_year) && take(text, "-") &&
	                   take_digits(text, 2, &date->tm_mon) && take(text, "-") &&
	                   take_digits(text, 2, &date->tm_mday) && take(text, "Tt ") &&
	                   take_digits(text, 2, &date->tm_hour) && take(text, ":") &&
	                   take_digits(text, 2, &date->tm_min) && take(text, ":") &&
	                   take_digits(text, 2, &date->tm_sec);
	date->tm_year -= 1900;
	date->tm_mon -= 1;
	return taken;
}

static bool read_date(struct sluice_bytes text, int64_t *ns_out)
{
	struct tm date = {0};
	int64_t fraction;
	int offset;
	if (!take_date(&text, &date) || !take_fraction(&text, &fraction) || !take_zone(&text, &offset) || text.size)
		return false;
	/* timegm() makes the 2nd of March of the 30th of February: what it changes was no date. A second of 60 is one. */
	struct tm same = date;
	same.tm_sec = date.tm_sec == 60 ? 59 : date.tm_sec;
	int64_t seconds = (int64_t)timegm(&same);
	if (same.tm_mon != date.tm_mon || same.tm_mday != date.tm_mday || same.tm_hour != date.tm_hour ||
	    same.tm_min != date.tm_min || date.tm_sec > 60)
		return false;
	return !__builtin_mul_overflow(seconds - offset, SCHEME_SECOND_NS, ns_out) &&
	       !__builtin_add_overflow(*ns_out, fraction, ns_out);
}

bool scheme_read_time(const struct scheme *scheme, struct sluice_bytes text, int64_t *ns_out)
{
	return scheme->unit_ns == SCHEME_DATE_NS ? read_date(text, ns_out) : read_number(scheme, text, ns_out);
}

void scheme_write_time(const struct scheme *scheme, int64_t ns, char text[SCHEME_TIME_SIZE])
{
	if (scheme->unit_ns != SCHEME_DATE_NS) {
		(void)snprintf(text, SCHEME_TIME_SIZE, "%" PRId64, ns / scheme->unit_ns);
		return;
	}
	const time_t seconds = (time_t)(ns / SCHEME_SECOND_NS);
	struct tm date;
	(void)gmtime_r(&seconds, &date);
	size_t size = strftime(text, SCHEME_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &date);
	(void)snprintf(text + size, SCHEME_TIME_SIZE - size, ".%09" PRId64 "Z", ns % SCHEME_SECOND_NS);
}
