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
#include "conform/valid.h"
#include "yaml/option.h"

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

/* Shorter ones than this are in "secret-1" by chance. */
enum { SECRET_MIN = 8 };

/* Whether the label gives the secret away. */
static bool shows(struct sluice_bytes label, const char *secret)
{
	size_t size = strlen(secret);
	return size >= SECRET_MIN ? memmem(label.data, label.size, secret, size) != NULL
	                          : size > 0 && label.size == size && memcmp(label.data, secret, size) == 0;
}

/* No value of a secret option may be in it. */
static void expect_no_secret(struct check *check, struct sluice_bytes label)
{
	for (const struct sluice_option *option = check_ops(check)->options; option->type != SLUICE_TYPE_END;
	     option++) {
		const char *given = option->flags & SLUICE_OPTION_SECRET ? check_option(check, option->name) : NULL;
		char *copy = given ? strdup(given) : NULL, *rest = copy;
		for (char *item; (item = strsep(&rest, ","));)
			check_that(check, !shows(label, item),
			           "the credential is a label, and has the secret itself in it");
		free(copy);
	}
}

static void credential(struct check *check)
{
	struct valid valid;
	struct bench *bench = valid_open(check, &valid);
	struct sluice_event *event = valid_event(bench, &valid), *again = valid_event(bench, &valid);
	struct sluice_bytes label, id;
	(void)sample_wait(check, event, bench_process(bench, event));
	(void)sample_wait(check, again, bench_process(bench, again));
	label = event->credential;
	id = event->authenticated_id;
	check_that(check, bench_same_bytes(label, again->credential),
	           "the same request twice: expected the same credential");
	check_that(check, bench_same_bytes(id, again->authenticated_id),
	           "the same request twice: expected the same authenticated_id");
	check_that(check, !id.data || (id.size > 0 && id.size <= SLUICE_NAME_MAX && utf8_valid(id.data, id.size)),
	           "authenticated_id: expected 1 to %d bytes of UTF-8, got %zu bytes", SLUICE_NAME_MAX, id.size);
	check_that(check, !label.data || (label.size > 0 && utf8_valid(label.data, label.size)),
	           "credential: expected a label, got %zu bytes", label.size);
	if (label.data)
		expect_no_secret(check, label);
	bench_settle(bench, event, SLUICE_PASS);
	bench_settle(bench, again, SLUICE_PASS);
	if (!label.data && !id.data)
		check_skip(check, "it sets neither credential nor authenticated_id");
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
};

static void send_many(void *context, unsigned number)
{
	const struct senders *senders = context;
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned which = (i + number) % 4;
		bool good = which % 2 == 0;
		check_that(senders->check, passes(senders->check, senders->bench, senders->requests[which]) == good,
		           "on %d threads at once a %s request %s", THREADS, good ? "valid" : "forged",
		           good ? "was rejected" : "passed");
	}
}

static struct buffer copy_of(const struct buffer *value)
{
	struct buffer copy = {0};
	buffer_add(&copy, value->data, value->size);
	return copy;
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
	struct valid valid;
	struct bench *bench = valid_open(check, &valid);
	need_proof(check, &valid);
	struct valid proof = forge_proof(&valid), body = forge_body(&valid);
	bool signs_body = !passes(check, bench, &body);
	struct senders senders = {check, bench, {&valid, &proof, &valid, signs_body ? &body : &proof}};
	concurrent_collide(check, THREADS, send_many, &senders);
}

/* An empty item in a list may come of a variable that is not set. */
static void refuses_an_empty_secret(struct check *check)
{
	size_t count = 0;
	for (const struct sluice_option *option = check_ops(check)->options; option->type != SLUICE_TYPE_END;
	     option++) {
		const char *given = check_option(check, option->name);
		if (!(option->flags & SLUICE_OPTION_SECRET) || !given)
			continue;
		const char *const values[] = {"", given};
		for (size_t i = 0; i < (option->type == SLUICE_TYPE_STRINGS && option->max > 1 ? 2 : 1); i++, count++) {
			struct buffer setting = {0};
			struct sluice_error error = {0};
			buffer_printf(&setting, "%s=%s%s", option->name, values[i], i ? "," : "");
			check_that(check, !check_try(check, (const char *const[]){setting.data, NULL}, &error),
			           "%s with an empty text%s was accepted: who knows no secret could then prove one",
			           option->name, i ? " in its list" : "");
			buffer_finish(&setting);
		}
	}
	if (count == 0)
		check_skip(check, "no secret option is given");
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
	{"stale", "a request too old or too far in the future is rejected", stale, 0},
	{"same-response", "a rejection does not tell which part was wrong", same_response, 0},
	{"credential", "the credential label is stable and holds no secret", credential, 0},
	{"empty-secret", "an empty secret is refused at the start", refuses_an_empty_secret, CHECK_NEEDS_OPTIONS},
	{"networks", "an address is known by all its bits, and by nothing that a sender can write", networks_are_exact,
         0},
	{"stated", "every request that was given comes out as its author states", stated_holds, 0},
	{"untouched", "it changes no field of the event but its own", untouched, 0},
	{"many-threads", "on several threads at once no forged request passes", many_threads, 0},
	{NULL, NULL, NULL, 0},
};
