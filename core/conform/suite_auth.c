/*
 * What an auth stage promises: a valid request passes, and no other does.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "conform/check.h"
#include "conform/concurrent.h"
#include "conform/networks.h"
#include "conform/sample.h"
#include "conform/stated.h"
#include "conform/suite_auth.h"
#include "conform/valid.h"
#include "yaml/option.h"

#define DAY_NS (INT64_C(86400) * NS_PER_S)

enum { THREADS = 4, ROUNDS = 300, UNAUTHORIZED = 401, FORBIDDEN = 403 };

/* RFC 9110, section 11.6.1: a scheme, and what may follow it behind a space. */
static bool is_challenge(const char *text)
{
	size_t size = text ? strcspn(text, " ") : 0;
	for (size_t i = 0; i < size; i++) {
		if (!isalnum((unsigned char)text[i]) && !strchr("-_.", text[i]))
			return false;
	}
	return size > 0;
}

static void expect_challenge(struct check *check, const struct sluice_event *event, const char *how)
{
	check_that(check, is_challenge(bench_response_header(event, "WWW-Authenticate")),
	           "%s: rejected with 401 without a challenge in WWW-Authenticate: see sluice_unauthorized()", how);
}

/* Expects the request to be rejected, for want of a proof or of a right. */
static void expect_refused(struct check *check, struct bench *bench, const struct valid *valid, const char *how)
{
	struct sluice_event *event = valid_event(bench, valid);
	enum sluice_verdict verdict = sample_wait(check, event, bench_process(bench, event));
	int status = bench_status(event);
	check_that(check, verdict == SLUICE_REJECT, "%s: expected REJECT, got %s", how, verdict_name(verdict));
	check_that(check, status == UNAUTHORIZED || status == FORBIDDEN, "%s: expected status 401 or 403, got %d", how,
	           status);
	bench_settle(bench, event, verdict);
}

static bool passes(struct check *check, struct bench *bench, const struct valid *valid)
{
	return sample_run(check, bench, valid_event(bench, valid)) == SLUICE_PASS;
}

static void valid_passes(struct check *check)
{
	struct valid valid;
	struct bench *bench = valid_open(check, &valid);
	for (int i = 0; i < 3; i++)
		check_that(check, passes(check, bench, &valid), "a valid request passed once and then no more");
	for (size_t i = 1; !check_request(check) && valid_use_item(check, i); i++)
		(void)valid_open(check, &valid);
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
		check_that(check, passes(check, bench, &other),
		           "a valid request with header names in %s case: expected PASS", i ? "upper" : "lower");
	}
}

/* Where no header of a given request makes a difference, the proof is somewhere else: in the address, say. */
static void need_proof(struct check *check, const struct valid *valid)
{
	bool is_needed = !valid->stated;
	for (size_t i = 0; i < valid->header_count; i++)
		is_needed |= valid->headers[i].matters;
	if (!is_needed)
		check_skip(check, "no header of the request makes a difference");
}

static void missing_header(struct check *check)
{
	struct valid valid;
	struct bench *bench = valid_open(check, &valid);
	struct valid bare = valid;
	bare.header_count = 0;
	need_proof(check, &valid);
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
		if (passes(check, bench, &valid) && passed++ == 0)
			first_passed = bit;
		valid.body.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	if (passed == bits && !valid.signs_body)
		check_skip(check, "it does not verify the body");
	check_that(check, passed == 0, "%zu of %zu one-bit changes of the body passed, the first in byte %zu", passed,
	           bits, first_passed / 8);
	struct buffer whole = valid.body, longer = {0};
	buffer_add(&longer, whole.data, whole.size);
	buffer_add(&longer, "", 1);
	for (size_t size = 0; size < whole.size; size++) {
		valid.body.size = size;
		expect_refused(check, bench, &valid, "with a truncated body");
	}
	valid.body = longer;
	expect_refused(check, bench, &valid, "with a NUL after the body");
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
		bool is_proof = header->matters && !stated_is_alike(valid.stated, header->name);
		for (size_t at = header->from; is_proof && at < header->value.size; at++) {
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
		bool is_proof = valid.headers[i].matters && !stated_is_alike(valid.stated, valid.headers[i].name);
		for (size_t size = value->size; is_proof && size-- > 0;) {
			char how[128];
			struct buffer part = {0};
			buffer_add(&part, value->data, size);
			cut.headers[i].value = part;
			(void)snprintf(how, sizeof(how), "with %s truncated to %zu bytes", valid.headers[i].name, size);
			/* Padding may be left out. */
			if (value->data[size] != '=' || !passes(check, bench, &cut))
				expect_refused(check, bench, &cut, how);
			buffer_finish(&part);
		}
	}
}

static struct buffer copy_of(const struct buffer *value)
{
	struct buffer copy = {0};
	buffer_add(&copy, value->data, value->size);
	return copy;
}

/* With one header more, which stands before the others or behind them. */
static struct valid with_header(const struct valid *valid, const struct valid_header *more, bool is_first)
{
	struct valid other = *valid;
	memmove(&other.headers[is_first], &other.headers[0], other.header_count * sizeof(other.headers[0]));
	other.headers[is_first ? 0 : other.header_count] = *more;
	other.header_count++;
	return other;
}

/* Who reads the header after this stage may read the other of the two. */
static void doubled_header(struct check *check)
{
	struct valid valid;
	struct bench *bench = valid_open(check, &valid);
	if (!valid.signs_body)
		check_skip(check, "conform knows of no signature in what it verifies");
	for (size_t i = 0; i < valid.header_count && valid.header_count < REQUEST_HEADERS_MAX; i++) {
		struct valid_header forged = valid.headers[i];
		if (!forged.matters || forged.value.size == 0)
			continue;
		forged.value = copy_of(&forged.value);
		forged.value.data[forged.value.size - 1] ^= 1;
		for (int is_first = 0; is_first < 2; is_first++) {
			struct valid other = with_header(&valid, &forged, is_first);
			char how[128];
			(void)snprintf(how, sizeof(how), "with %s a second time, with another value, %s", forged.name,
			               is_first ? "before the right one" : "behind the right one");
			expect_refused(check, bench, &other, how);
		}
	}
}

/* Of a request from a file it is not known whether it has a time: then it has one if that makes a difference. */
static void stale(struct check *check)
{
	struct valid valid;
	struct bench *bench = valid_open(check, &valid);
	if (!valid.has_time && !valid.request.has_date)
		check_skip(check, check_request(check) ? "the request has no Date header to set the clock to"
		                                       : "conform knows of no time in what it verifies");
	bench_advance_clock(48 * 3600 * NS_PER_S);
	if (!valid.has_time && passes(check, bench, &valid))
		check_skip(check, "it verifies no time");
	expect_refused(check, bench, &valid, "two days old");
	bench_advance_clock(-96 * 3600 * NS_PER_S);
	expect_refused(check, bench, &valid, "two days ahead");
	bench_advance_clock(48 * 3600 * NS_PER_S);
	check_that(check, passes(check, bench, &valid), "with the clock set back, a valid request was rejected");
}

/* An event is as old as it was when it was received, and the wall clock says when that was. */
static void clock_jumps(struct check *check)
{
	static const int64_t jumps_ns[] = {2 * DAY_NS, -2 * DAY_NS};
	struct valid valid;
	struct bench *bench = valid_open(check, &valid);
	bool has_time = valid.has_time || valid.request.has_date;
	if (!has_time)
		bench_set_clock(clock_wall_ns());
	for (size_t i = 0; i < sizeof(jumps_ns) / sizeof(jumps_ns[0]); i++) {
		const char *where = i ? "back" : "ahead";
		struct sluice_event *event = valid_event(bench, &valid);
		bench_jump_clock(jumps_ns[i]);
		enum sluice_verdict verdict = sample_run(check, bench, event);
		check_that(check, verdict == SLUICE_PASS,
		           "a valid request was received, the wall clock was set two days %s, and it got %s: go by "
		           "event->received_at_ns",
		           where, verdict_name(verdict));
		if (valid.has_time)
			expect_refused(check, bench, &valid, "received while the wall clock is two days off");
		bench_jump_clock(-jumps_ns[i]);
		check_that(check, passes(check, bench, &valid),
		           "the wall clock was set two days %s and then right again, and a valid request was rejected",
		           where);
	}
	bench_advance_clock(2 * DAY_NS);
	bench_jump_clock(-2 * DAY_NS);
	check_that(check, passes(check, bench, &valid),
	           "two days after its start, a request that is valid by the wall clock was rejected");
	bench_close(bench);
	bench_restart_clock();
	bench = check_open(check);
	check_that(check, passes(check, bench, &valid),
	           "the machine was started again, and a request that is valid by the wall clock was rejected");
	bench_close(bench);
}

static void same_response(struct check *check)
{
	struct valid valid;
	struct bench *bench = valid_open(check, &valid);
	struct valid bare = valid;
	bare.header_count = 0;
	need_proof(check, &valid);
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
		check_that(check, strcmp(missing, wrong) == 0, "expected the same reason whatever is wrong, got %.200s",
		           wrong);
		free(wrong);
	}
	free(missing);
}

static void challenge(struct check *check)
{
	struct bench *bench = check_open(check);
	size_t count = 0;
	for (unsigned long i = 0; i < SAMPLE_SORTS; i++) {
		struct sluice_event *event = sample_event(check, bench, i);
		enum sluice_verdict verdict = sample_wait(check, event, bench_process(bench, event));
		if (verdict == SLUICE_REJECT && bench_status(event) == UNAUTHORIZED) {
			expect_challenge(check, event, "a request without a proof");
			count++;
		}
		bench_settle(bench, event, verdict);
	}
	if (count == 0)
		check_skip(check, "it rejects nothing with 401");
}

/* Whether `event` is as it was before the stage had it, but for what is the stage's to write. */
static bool is_untouched(const struct sluice_event *before, const struct sluice_event *event)
{
	struct sluice_event now;
	memcpy(&now, event, sizeof(now)); /* with its padding, as `before` was */
	memcpy(now.local, before->local, sizeof(now.local));
	now.credential = before->credential;
	now.authenticated_id = before->authenticated_id;
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
		(void)sample_wait(check, event, bench_process(bench, event));
		check_that(check, is_untouched(&before, event),
		           "it changed a field of the event other than credential and authenticated_id");
		check_that(check,
		           event->body.size == 0 || memcmp(event->body.data, valid.body.data, event->body.size) == 0,
		           "it changed the bytes of the body");
		for (size_t i = 0; i < valid.header_count; i++)
			check_that(check,
			           event->headers[i].value.size == valid.headers[i].value.size &&
			                   memcmp(event->headers[i].value.data, valid.headers[i].value.data,
			                          valid.headers[i].value.size) == 0,
			           "it changed the value of a header");
		bench_free(event);
		valid.body.data[0] ^= 1; /* and one that is rejected */
	}
}

struct senders {
	struct check *check;
	struct bench *bench;
	const struct valid *requests[4]; /* valid and forged ones in turn */
	struct buffer labels[4];         /* of the valid ones */
};

static bool passes_so(const struct senders *senders, unsigned which)
{
	struct sluice_event *event = valid_event(senders->bench, senders->requests[which]);
	enum sluice_verdict verdict = sample_wait(senders->check, event, bench_process(senders->bench, event));
	const struct buffer *label = &senders->labels[which];
	struct sluice_bytes expected = {label->size ? label->data : NULL, label->size};
	check_that(senders->check,
	           verdict != SLUICE_PASS || which % 2 || sluice_bytes_equal(event->credential, expected),
	           "on %d threads at once a request got the credential of another", THREADS);
	bench_settle(senders->bench, event, verdict);
	return verdict == SLUICE_PASS;
}

static void send_many(void *context, unsigned number)
{
	const struct senders *senders = context;
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned which = (i + number) % 4;
		bool good = which % 2 == 0;
		check_that(senders->check, passes_so(senders, which) == good, "on %d threads at once a %s request %s",
		           THREADS, good ? "valid" : "forged", good ? "was rejected" : "passed");
	}
}

static struct valid forge_proof(const struct valid *valid)
{
	struct valid forged = *valid;
	for (size_t i = 0; i < forged.header_count; i++) {
		struct buffer copy = copy_of(&valid->headers[i].value);
		if (copy.size > 1 && forged.headers[i].matters)
			copy.data[copy.size - 2] ^= 1;
		forged.headers[i].value = copy;
	}
	return forged;
}

static struct valid forge_body(const struct valid *valid)
{
	struct valid forged = *valid;
	forged.body = copy_of(&valid->body);
	if (forged.body.size)
		forged.body.data[0] ^= 1;
	return forged;
}

/* Where the body is signed, one of the forgeries has another: what the stage computes then differs between threads. */
static void many_threads(struct check *check)
{
	struct valid valid, other;
	if (!check_request(check) && valid_use_item(check, 1)) {
		(void)valid_open(check, &other);
		(void)valid_use_item(check, 0);
	}
	struct bench *bench = valid_open(check, &valid);
	if (check_request(check) || !valid_use_item(check, 1))
		other = valid;
	(void)valid_use_item(check, 0);
	need_proof(check, &valid);
	struct valid proof = forge_proof(&valid), body = forge_body(&valid);
	bool signs_body = !passes(check, bench, &body);
	struct senders senders = {check, bench, {&valid, &proof, &other, signs_body ? &body : &proof}, {{0}}};
	for (unsigned i = 0; i < 4; i += 2)
		senders.labels[i] = auth_copy_label(check, bench, senders.requests[i]);
	concurrent_collide(check, THREADS, send_many, &senders);
}

const struct check_entry suite_auth[] = {
	{"valid-passes", "a valid request passes, and passes again", valid_passes, 0},
	{"header-case", "header names are matched in any case", header_case, 0},
	{"missing-header", "without the header, or with an empty one, it is rejected with 401 or 403", missing_header,
         0},
	{"challenge", "a 401 carries a challenge in WWW-Authenticate", challenge, 0},
	{"changed-body", "every one-bit change and every truncation of the body is rejected", changed_body, 0},
	{"changed-header", "every one-bit change of the proof is rejected", changed_header, 0},
	{"cut-header", "every truncation of the proof is rejected", cut_header, 0},
	{"doubled-header", "a signed request with two values for a header of the proof is rejected", doubled_header, 0},
	{"stale", "a request too old or too far in the future is rejected", stale, 0},
	{"clock-jumps", "a request is as old as the wall clock said when it was received, however the clocks are set",
         clock_jumps, 0},
	{"same-response", "a rejection does not tell which part was wrong", same_response, 0},
	{"credential", "the credential label is stable and holds no secret", auth_labels_credentials, 0},
	{"empty-secret", "an empty secret is refused at the start", auth_refuses_an_empty_secret, CHECK_NEEDS_OPTIONS},
	{"networks", "an address is known by all its bits, and by nothing that a sender can write", networks_are_exact,
         0},
	{"stated", "every request that was given comes out as its author states", stated_holds, 0},
	{"untouched", "it changes no field of the event but its own", untouched, 0},
	{"many-threads", "on several threads at once no forged request passes", many_threads, 0},
	{NULL, NULL, NULL, 0},
};
