/*
 * What an auth stage promises: what was signed goes through, and nothing else does.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "conform/check.h"
#include "conform/crowd.h"
#include "conform/valid.h"

enum { THREADS = 4, ROUNDS = 300, UNAUTHORIZED = 401 };

/* Expects what is `how` to be refused as such. */
static void expect_refused(struct check *check, struct bench *bench, const struct valid *valid, const char *how)
{
	struct sluice_event *event = valid_event(bench, valid);
	enum sluice_verdict verdict = bench_process(bench, event);
	check_that(check, verdict == SLUICE_REJECT, "%s: expected REJECT, got verdict %d", how, (int)verdict);
	check_that(check, bench_status(event) == UNAUTHORIZED, "%s: expected status 401, got %d", how,
	           bench_status(event));
	bench_settle(bench, event, verdict);
}

static bool passes(struct bench *bench, const struct valid *valid)
{
	struct sluice_event *event = valid_event(bench, valid);
	enum sluice_verdict verdict = bench_process(bench, event);
	bench_settle(bench, event, verdict);
	return verdict == SLUICE_PASS;
}

static void valid_passes(struct check *check)
{
	struct valid valid;
	struct bench *bench = valid_open(check, &valid);
	for (int i = 0; i < 3; i++)
		check_that(check, passes(bench, &valid), "a valid request was expected to pass again");
}

static void header_case(struct check *check)
{
	struct valid valid;
	struct bench *bench = valid_open(check, &valid);
	int (*const cases[])(int) = {tolower, toupper};
	for (size_t i = 0; i < 2; i++) {
		struct valid other = valid;
		for (size_t h = 0; h < other.header_count; h++) {
			char *name = strdup(other.headers[h].name);
			for (char *c = name; *c; c++)
				*c = (char)cases[i]((unsigned char)*c);
			other.headers[h].name = name;
		}
		check_that(check, passes(bench, &other), "with header names in %s case the request did not pass",
		           i ? "upper" : "lower");
	}
}

static void missing_header(struct check *check)
{
	struct valid valid;
	struct bench *bench = valid_open(check, &valid);
	struct valid bare = valid;
	bare.header_count = 0;
	expect_refused(check, bench, &bare, "without any header");
	for (size_t i = 0; i < valid.header_count; i++) {
		if (!valid.headers[i].matters)
			continue;
		struct valid without = valid;
		char how[128];
		without.headers[i].value = (struct buffer){"", 0, 0};
		(void)snprintf(how, sizeof(how), "with an empty %s", valid.headers[i].name);
		expect_refused(check, bench, &without, how);
		without.header_count--;
		without.headers[i] = without.headers[without.header_count];
		(void)snprintf(how, sizeof(how), "without %s", valid.headers[i].name);
		expect_refused(check, bench, &without, how);
	}
}

static void changed_body(struct check *check)
{
	struct valid valid;
	struct bench *bench = valid_open(check, &valid);
	size_t bits = valid.body.size * 8, passed = 0, first_passed = 0;
	for (size_t bit = 0; bit < bits; bit++) {
		valid.body.data[bit / 8] ^= (char)(1 << bit % 8);
		if (passes(bench, &valid) && passed++ == 0)
			first_passed = bit;
		valid.body.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	if (passed == bits && !valid.signs_body)
		check_skip(check, "the body is not part of what it verifies");
	check_that(check, passed == 0, "of %zu one-bit changes of the body %zu passed, the first in byte %zu", bits,
	           passed, first_passed / 8);
	struct buffer whole = valid.body, longer = {0};
	buffer_add(&longer, whole.data, whole.size);
	buffer_add(&longer, "", 1);
	for (size_t size = 0; size < whole.size; size++) {
		valid.body.size = size;
		expect_refused(check, bench, &valid, "with the body cut short");
	}
	valid.body = longer;
	expect_refused(check, bench, &valid, "with a NUL behind the body");
	buffer_finish(&longer);
	struct buffer spaced = {0};
	buffer_printf(&spaced, " %s\n", whole.data);
	valid.body = spaced;
	expect_refused(check, bench, &valid, "with white space around the body");
}

/* Hexadecimal digits and names of schemes may be written in either case. */
static bool is_other_case(char c, int bit)
{
	return bit == 5 && isalpha((unsigned char)c);
}

static void changed_header(struct check *check)
{
	struct valid valid;
	struct bench *bench = valid_open(check, &valid);
	for (size_t i = 0; i < valid.header_count; i++) {
		struct valid_header *header = &valid.headers[i];
		for (size_t at = header->from; header->matters && at < header->value.size; at++) {
			char original = header->value.data[at];
			for (int bit = 0; bit < 8; bit++) {
				char how[128];
				char changed = (char)(original ^ (1 << bit));
				if (is_other_case(original, bit) || !changed)
					continue;
				header->value.data[at] = changed;
				(void)snprintf(how, sizeof(how), "with bit %d of byte %zu of %s changed", bit, at,
				               header->name);
				expect_refused(check, bench, &valid, how);
			}
			header->value.data[at] = original;
		}
	}
}

static void cut_header(struct check *check)
{
	struct valid valid;
	struct bench *bench = valid_open(check, &valid);
	for (size_t i = 0; i < valid.header_count; i++) {
		struct valid cut = valid;
		const struct buffer *value = &valid.headers[i].value;
		for (size_t size = value->size; valid.headers[i].matters && size-- > 0;) {
			char how[128];
			struct buffer part = {0};
			buffer_add(&part, value->data, size);
			cut.headers[i].value = part;
			(void)snprintf(how, sizeof(how), "with %s cut to %zu bytes", valid.headers[i].name, size);
			/* Padding may be left out. */
			if (value->data[size] != '=' || !passes(bench, &cut))
				expect_refused(check, bench, &cut, how);
			buffer_finish(&part);
		}
	}
}

static void stale(struct check *check)
{
	struct valid valid;
	struct bench *bench = valid_open(check, &valid);
	if (!valid.has_time)
		check_skip(check, "what it verifies has no time that is known");
	bench_advance_clock(48 * 3600 * NS_PER_S);
	expect_refused(check, bench, &valid, "two days old");
	bench_advance_clock(-96 * 3600 * NS_PER_S);
	expect_refused(check, bench, &valid, "two days ahead");
	bench_advance_clock(48 * 3600 * NS_PER_S);
	check_that(check, passes(bench, &valid), "back in time, the request was expected to pass again");
}

static void one_answer(struct check *check)
{
	struct valid valid;
	struct bench *bench = valid_open(check, &valid);
	struct valid bare = valid;
	bare.header_count = 0;
	free(bench_take_sentences());
	expect_refused(check, bench, &bare, "without any header");
	char *missing = bench_take_sentences();
	for (size_t i = 0; i < valid.header_count; i++) {
		struct valid_header *header = &valid.headers[i];
		char *last = &header->value.data[header->value.size - 1];
		if (!header->matters || header->value.size == 0)
			continue;
		*last ^= 2;
		expect_refused(check, bench, &valid, "with the last character of a header changed");
		*last ^= 2;
		char *wrong = bench_take_sentences();
		check_that(check, strcmp(missing, wrong) == 0,
		           "the sender was expected to be told the same whatever is wrong, and was told: %.200s",
		           wrong);
		free(wrong);
	}
	free(missing);
}

/* Whether `event` is as it was before the stage had it, but for the stage's own word. */
static bool is_untouched(const struct sluice_event *before, const struct sluice_event *event)
{
	struct sluice_event now;
	memcpy(&now, event, sizeof(now)); /* with its padding, as `before` was */
	memcpy(now.local, before->local, sizeof(now.local));
	// NOLINTNEXTLINE(bugprone-suspicious-memory-comparison)
	return memcmp(before, &now, sizeof(now)) == 0;
}

static void untouched(struct check *check)
{
	struct valid valid;
	struct bench *bench = valid_open(check, &valid);
	for (int round = 0; round < 2; round++) {
		struct sluice_event *event = valid_event(bench, &valid);
		struct sluice_event before;
		memcpy(&before, event, sizeof(before));
		(void)bench_process(bench, event);
		check_that(check, is_untouched(&before, event),
		           "a field of the event was changed, which is not its to change");
		check_that(check,
		           event->body.size == 0 || memcmp(event->body.data, valid.body.data, event->body.size) == 0,
		           "the bytes of the body were changed");
		for (size_t i = 0; i < valid.header_count; i++)
			check_that(check,
			           event->headers[i].value.size == valid.headers[i].value.size &&
			                   memcmp(event->headers[i].value.data, valid.headers[i].value.data,
			                          valid.headers[i].value.size) == 0,
			           "the value of a header was changed");
		bench_free(event);
		valid.body.data[0] ^= 1; /* and one that is refused */
	}
}

struct visitors {
	struct check *check;
	struct bench *bench;
	const struct valid *good, *bad;
};

static void visit(void *context, unsigned number)
{
	const struct visitors *visitors = context;
	for (unsigned i = 0; i < ROUNDS; i++) {
		bool good = (i + number) % 2;
		check_that(visitors->check, passes(visitors->bench, good ? visitors->good : visitors->bad) == good,
		           "with %d threads at once a %s request %s", THREADS, good ? "valid" : "forged",
		           good ? "was refused" : "passed");
	}
}

static void many_threads(struct check *check)
{
	struct valid valid;
	struct bench *bench = valid_open(check, &valid);
	struct valid forged = valid;
	struct visitors visitors = {check, bench, &valid, &forged};
	for (size_t i = 0; i < forged.header_count; i++) {
		struct buffer copy = {0};
		buffer_add(&copy, forged.headers[i].value.data, forged.headers[i].value.size);
		if (copy.size && forged.headers[i].matters)
			copy.data[copy.size - 2] ^= 1;
		forged.headers[i].value = copy;
	}
	crowd_run(check, THREADS, visit, &visitors);
}

const struct check_entry suite_auth[] = {
	{"valid-passes", "a valid request passes, and passes again", valid_passes, 0},
	{"header-case", "the case of header names does not matter", header_case, 0},
	{"missing-header", "without the header, or with an empty one, it is refused with 401", missing_header, 0},
	{"changed-body", "each one-bit change of the body, and each cut, is refused", changed_body, 0},
	{"changed-header", "each one-bit change of what proves it is refused", changed_header, 0},
	{"cut-header", "each cut of what proves it is refused", cut_header, 0},
	{"stale", "what is too old or too far ahead is refused", stale, 0},
	{"one-answer", "the sender is never told which part was wrong", one_answer, 0},
	{"untouched", "the event stays as it was", untouched, 0},
	{"many-threads", "with several threads at once no forged request passes", many_threads, 0},
	{NULL, NULL, NULL, 0},
};
