/*
 * The table of providers: each row is proven by its example, and nothing like the example gets in.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/prng.h"
#include "conform/bench.h"
#include "sign/provider.h"
#include "support/harness.h"
#include "support/unit.h"

enum { MUTATIONS = 200, AT_LEAST = 60 };

static const struct scheme *scheme_of(size_t row)
{
	return &providers[row].scheme;
}

static bool has_example(size_t row)
{
	return scheme_of(row)->example.secret;
}

/* What a request of the row is made of; changed ones differ in one. */
enum piece { SIGNATURE, TIMESTAMP, ID, BODY, TARGET, PARTS };

struct request {
	struct buffer parts[PARTS];
};

static void add(struct buffer *buffer, const char *text)
{
	buffer_add_text(buffer, text ? text : "");
}

static const char *target_of(const char *url)
{
	const char *host = url ? strstr(url, "://") : NULL;
	return host ? strchr(host + 3, '/') : NULL;
}

static struct request request_of(size_t row)
{
	const struct scheme_example *example = &scheme_of(row)->example;
	struct request request = {.parts = {{0}}};
	add(&request.parts[SIGNATURE], example->signature);
	add(&request.parts[TIMESTAMP], example->timestamp);
	add(&request.parts[ID], example->id);
	add(&request.parts[BODY], example->body);
	add(&request.parts[TARGET], target_of(example->url));
	return request;
}

static void request_finish(struct request *request)
{
	for (int part = 0; part < PARTS; part++)
		buffer_finish(&request->parts[part]);
}

static void add_header(struct sluice_event *event, const char *name, const struct buffer *value)
{
	if (name)
		harness_header(event, name, value->data);
}

static enum sluice_verdict send(struct harness *h, size_t row, const struct request *request)
{
	const struct scheme *scheme = scheme_of(row);
	const char *url = scheme->example.url;
	struct sluice_event *event = harness_event(h);
	char authority[64] = "";
	if (url) {
		const char *host = strstr(url, "://") + 3;
		(void)snprintf(authority, sizeof(authority), "%.*s", (int)strcspn(host, "/"), host);
		bench_set_target(event, NULL, request->parts[TARGET].data, authority);
	}
	add_header(event, scheme->headers[0].signature, &request->parts[SIGNATURE]);
	add_header(event, scheme->headers[0].timestamp, &request->parts[TIMESTAMP]);
	add_header(event, scheme->headers[0].id, &request->parts[ID]);
	if (providers[row].is_form)
		harness_header(event, "Content-Type", "application/x-www-form-urlencoded");
	harness_body(event, request->parts[BODY].data, request->parts[BODY].size);
	enum sluice_verdict verdict = harness_process(h, event);
	if (verdict != SLUICE_PASS)
		ck_assert_int_eq(harness_status(event), 401);
	harness_free(event);
	return verdict;
}

static void set_clock(size_t row)
{
	int64_t ns = 0;
	const char *timestamp = scheme_of(row)->example.timestamp;
	if (!timestamp || !scheme_read_time(scheme_of(row), (struct sluice_bytes){timestamp, strlen(timestamp)}, &ns))
		ns = INT64_C(1700000000) * NS_PER_S; /* what the examples say that have it in the signature */
	harness_set_clock(ns);
}

static struct harness *open_row(size_t row)
{
	const struct provider *provider = &providers[row];
	struct buffer name = {0}, secret = {0};
	bool is_public = algorithm_is_public(provider->scheme.algorithm);
	set_clock(row);
	buffer_printf(&name, "provider=%s", provider->name);
	buffer_printf(&secret, "%s=%s", is_public ? "keys" : "secrets", provider->scheme.example.secret);
	struct harness *h = harness_open(SLUICE_KIND_AUTH, provider_stage(provider),
	                                 (const char *[]){name.data, secret.data, "handshake=none", NULL});
	buffer_finish(&secret);
	buffer_finish(&name);
	return h;
}

START_TEST(test_rows_say_all_that_a_pipeline_needs)
{
	ck_assert_uint_ge(PROVIDER_COUNT, AT_LEAST);
	for (size_t i = 0; i < PROVIDER_COUNT; i++) {
		const struct provider *row = &providers[i];
		ck_assert_msg(i == 0 || strcmp(providers[i - 1].name, row->name) < 0, "%s is not in its place",
		              row->name);
		ck_assert_msg(row->title && row->source && row->message_id, "%s: something is missing", row->name);
		ck_assert_ptr_eq(provider_find(row->name), row);
		ck_assert_str_eq(provider_names[i + 1], row->name);
		const char *names = row->handshake ? row->handshake : "";
		while (*names) {
			char name[64];
			size_t size = strcspn(names, ",");
			(void)snprintf(name, sizeof(name), "%.*s", (int)size, names);
			ck_assert_msg(handshake_find(name) != NULL, "%s: no handshake %s", row->name, name);
			names += size + (names[size] == ',');
		}
		bool is_template = strcmp(provider_stage(row), "none") != 0 && row->scheme.algorithm != ALGORITHM_SNS &&
		                   row->scheme.algorithm != ALGORITHM_MESSAGE;
		ck_assert_msg(!is_template || row->scheme.example.secret, "%s has no example", row->name);
	}
}
END_TEST

START_TEST(test_each_row_takes_its_example)
{
	for (size_t i = 0; i < PROVIDER_COUNT; i++) {
		if (!has_example(i))
			continue;
		struct harness *h = open_row(i);
		struct request request = request_of(i);
		ck_assert_msg(send(h, i, &request) == SLUICE_PASS, "%s: its example is refused", providers[i].name);
		request_finish(&request);
		harness_close(h);
	}
}
END_TEST

/* Whether the row's proof covers the part at all: a secret that is sent covers nothing else. */
static bool is_covered(size_t row, enum piece part)
{
	const struct scheme *scheme = scheme_of(row);
	switch (part) {
	case SIGNATURE:
		return true;
	case TIMESTAMP:
		return scheme->headers[0].timestamp;
	case ID:
		return scheme->headers[0].id;
	case BODY:
		return scheme->signed_text;
	case TARGET:
		return scheme->example.url;
	default:
		return false;
	}
}

/* What a sender may write otherwise without saying something else: blanks around entries, empty entries, padding, the case of
 * escapes. And a signed form does not tell where its names and values end. */
static bool may_differ(size_t row, enum piece part, char before, char after)
{
	const char *separator = scheme_of(row)->separator;
	bool is_form = part == BODY && providers[row].is_form;
	if (after == ' ' || before == ' ')
		return true;
	if (part == SIGNATURE)
		return after == '=' || (separator && after == separator[0]);
	return is_form && before &&
	       ((before ^ after) == 0x20 || strchr("=&", before) || (after && strchr("=&", after)));
}

/* Changes, drops or doubles one byte. False: it would say the same. */
static bool mutate(size_t row, enum piece part, struct buffer *text, struct prng *prng)
{
	static const char bytes[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/=-_.,:;{}\"[]%&?#!~";
	size_t at = (size_t)prng_below(prng, text->size);
	char before = text->data[at], after = bytes[prng_below(prng, sizeof(bytes) - 1)];
	switch (prng_below(prng, 3)) {
	case 0:
		if (after == before || may_differ(row, part, before, after))
			return false;
		text->data[at] = after;
		return true;
	case 1:
		if (may_differ(row, part, before, '\0'))
			return false;
		memmove(text->data + at, text->data + at + 1, text->size - at);
		text->size--;
		return true;
	default:
		if (may_differ(row, part, before, after))
			return false;
		buffer_add(text, " ", 1);
		memmove(text->data + at + 1, text->data + at, text->size - 1 - at);
		text->data[at] = after;
		return true;
	}
}

/* SLUICE_MUTATIONS=17000 sends more than a million in all. */
static size_t mutations_of_each(void)
{
	const char *wanted = getenv("SLUICE_MUTATIONS");
	return wanted ? strtoul(wanted, NULL, 10) : MUTATIONS;
}

START_TEST(test_changed_examples_are_refused)
{
	struct prng prng;
	size_t sent = 0;
	prng_init(&prng, 14);
	for (size_t i = 0; i < PROVIDER_COUNT; i++) {
		if (!has_example(i))
			continue;
		struct harness *h = open_row(i);
		for (size_t n = mutations_of_each(); n-- > 0;) {
			struct request request = request_of(i);
			enum piece part = (enum piece)prng_below(&prng, PARTS);
			if (is_covered(i, part) && mutate(i, part, &request.parts[part], &prng) && ++sent)
				ck_assert_msg(send(h, i, &request) == SLUICE_REJECT,
				              "%s: taken with part %d changed: %s", providers[i].name, (int)part,
				              request.parts[part].data);
			request_finish(&request);
		}
		harness_close(h);
	}
	ck_assert_uint_gt(sent, PROVIDER_COUNT * mutations_of_each() / 4);
	if (getenv("SLUICE_MUTATIONS"))
		(void)fprintf(stderr, "%zu changed requests, all refused\n", sent);
}
END_TEST

START_TEST(test_a_request_without_its_headers_is_refused)
{
	for (size_t i = 0; i < PROVIDER_COUNT; i++) {
		if (!has_example(i))
			continue;
		struct harness *h = open_row(i);
		struct sluice_event *event = harness_event(h);
		const struct scheme_example *example = &scheme_of(i)->example;
		harness_body(event, example->body, strlen(example->body));
		ck_assert_int_eq(harness_process(h, event), SLUICE_REJECT);
		ck_assert_int_eq(harness_status(event), 401);
		harness_free(event);
		harness_close(h);
	}
}
END_TEST

START_TEST(test_a_row_of_another_stage_names_it)
{
	static const struct {
		const char *stage, *provider, *expected;
	} cases[] = {
		{"hmac", "provider=discord", "provider: discord shares no secret: use auth: signature"},
		{"hmac", "provider=strava", "provider: strava shares no secret: use auth: none"},
		{"signature", "provider=github", "provider: github has no public key: use auth: hmac"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_error error = {0};
		ck_assert_ptr_null(
			harness_try(SLUICE_KIND_AUTH, cases[i].stage,
		                    (const char *[]){cases[i].provider, i < 2 ? "secrets=x" : "keys=x", NULL}, &error));
		ck_assert_ptr_nonnull(strstr(error.text, cases[i].expected));
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("providers");
	TCase *rows = tcase_create("rows");
	tcase_set_timeout(rows, 0);
	tcase_add_test(rows, test_rows_say_all_that_a_pipeline_needs);
	tcase_add_test(rows, test_each_row_takes_its_example);
	tcase_add_test(rows, test_changed_examples_are_refused);
	tcase_add_test(rows, test_a_request_without_its_headers_is_refused);
	tcase_add_test(rows, test_a_row_of_another_stage_names_it);
	suite_add_tcase(suite, rows);
	return suite;
}

UNIT_SUITE(test_providers, suite)
