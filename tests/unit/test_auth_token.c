/*
 * auth/token: the example stage.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/harness.h"
#include "support/unit.h"

static enum sluice_verdict send(struct harness *h, const char *authorization)
{
	struct sluice_event *event = harness_event(h);
	if (authorization)
		harness_header(event, "Authorization", authorization);
	enum sluice_verdict verdict = harness_process(h, event);
	if (verdict != SLUICE_PASS) {
		ck_assert_int_eq(harness_status(event), 401);
		ck_assert_str_eq(harness_detail(event), "the bearer token is missing or wrong");
	}
	harness_free(event);
	return verdict;
}

START_TEST(test_known_tokens_get_in_and_nothing_else)
{
	static const struct {
		const char *authorization;
		enum sluice_verdict verdict;
	} cases[] = {
		{"Bearer open", SLUICE_PASS},
		{"bearer sesame", SLUICE_PASS},
		{NULL, SLUICE_REJECT},
		{"", SLUICE_REJECT},
		{"Bearer", SLUICE_REJECT},
		{"Bearer ", SLUICE_REJECT},
		{"Bearer o", SLUICE_REJECT},
		{"Bearer opeN", SLUICE_REJECT},
		{"Bearer openopen", SLUICE_REJECT},
		{"Bearer open ", SLUICE_REJECT},
		{"Bearer  open", SLUICE_REJECT},
		{"Basic open", SLUICE_REJECT},
		{"open", SLUICE_REJECT},
	};
	struct harness *h = harness_open(SLUICE_KIND_AUTH, "token", (const char *[]){"tokens=open, sesame", NULL});
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(send(h, cases[i].authorization) == cases[i].verdict, "case %zu", i);
	harness_close(h);
}
END_TEST

START_TEST(test_token_that_matched_is_named_by_its_place)
{
	static const char *const authorizations[] = {"Bearer open", "Bearer sesame", "Bearer again"};
	struct harness *h = harness_open(SLUICE_KIND_AUTH, "token",
	                                 (const char *[]){"tokens=open, sesame, again", NULL});
	for (size_t i = 0; i < 3; i++) {
		char label[16];
		struct sluice_event *event = harness_event(h);
		harness_header(event, "Authorization", authorizations[i]);
		ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
		(void)snprintf(label, sizeof(label), "token-%zu", i + 1);
		ck_assert_uint_eq(event->credential.size, strlen(label));
		ck_assert_mem_eq(event->credential.data, label, strlen(label));
		harness_free(event);
	}
	harness_close(h);
}
END_TEST

START_TEST(test_every_changed_bit_is_refused)
{
	struct harness *h = harness_open(SLUICE_KIND_AUTH, "token", (const char *[]){"tokens=0123456789abcdef", NULL});
	static const char whole[] = "Bearer 0123456789abcdef";
	for (size_t bit = 8 * strlen("Bearer "); bit < 8 * strlen(whole); bit++) {
		char text[sizeof(whole)];
		memcpy(text, whole, sizeof(whole));
		text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
		ck_assert_int_eq(send(h, text), SLUICE_REJECT);
	}
	ck_assert_int_eq(send(h, whole), SLUICE_PASS);
	harness_close(h);
}
END_TEST

START_TEST(test_empty_token_is_refused)
{
	struct sluice_error error = {0};
	ck_assert_ptr_null(harness_try(SLUICE_KIND_AUTH, "token", (const char *[]){"tokens=a,", NULL}, &error));
	ck_assert_str_eq(error.text, "tokens: item 2: expected a token, got an empty text");
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("auth/token");
	TCase *tokens = tcase_create("tokens");
	tcase_add_test(tokens, test_known_tokens_get_in_and_nothing_else);
	tcase_add_test(tokens, test_token_that_matched_is_named_by_its_place);
	tcase_add_test(tokens, test_every_changed_bit_is_refused);
	tcase_add_test(tokens, test_empty_token_is_refused);
	suite_add_tcase(suite, tokens);
	return suite;
}

UNIT_SUITE(test_auth_token, suite)
