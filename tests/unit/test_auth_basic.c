/*
 * auth/basic: the stage in C++.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/harness.h"
#include "support/unit.h"

static const char *const users[] = {"users=Aladdin:open sesame, test:123\xc2\xa3, a:b:c", NULL};

static enum sluice_verdict send(struct harness *h, const char *authorization)
{
	struct sluice_event *event = harness_event(h);
	if (authorization)
		harness_header(event, "Authorization", authorization);
	enum sluice_verdict verdict = harness_process(h, event);
	if (verdict != SLUICE_PASS) {
		ck_assert_int_eq(harness_status(event), 401);
		ck_assert_str_eq(harness_detail(event), "the user or the secret is missing or wrong");
	}
	harness_free(event);
	return verdict;
}

START_TEST(test_known_users_get_in_and_nobody_else)
{
	static const struct {
		const char *authorization;
		enum sluice_verdict verdict;
	} cases[] = {
		/* RFC 7617, sections 2 and 2.1 */
		{"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", SLUICE_PASS},
		{"Basic dGVzdDoxMjPCow==", SLUICE_PASS},
		{"basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", SLUICE_PASS},
		{"Basic YTpiOmM=", SLUICE_PASS},                       /* a:b:c: the secret may have a colon */
		{"Basic QWxhZGRpbjpvcGVuIHNlc2FtZR==", SLUICE_REJECT}, /* the same with a spare bit set */
		{"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=", SLUICE_REJECT},
		{"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", SLUICE_REJECT},
		{"Basic QWxhZGRpbjpvcGVuIHNlc2FtZSE=", SLUICE_REJECT}, /* one character more */
		{"Basic QWxhZGRpbjpvcGVuIHNlc2Ft", SLUICE_REJECT},     /* one less */
		{"Basic QWxhZGRpbjo=", SLUICE_REJECT},                 /* Aladdin: */
		{"Basic QWxhZGRpbg==", SLUICE_REJECT},                 /* Aladdin */
		{"Basic Aladdin:open sesame", SLUICE_REJECT},
		{"Basic ====", SLUICE_REJECT},
		{"Basic ", SLUICE_REJECT},
		{"Basic", SLUICE_REJECT},
		{"Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", SLUICE_REJECT},
		{"", SLUICE_REJECT},
		{NULL, SLUICE_REJECT},
	};
	struct harness *h = harness_open(SLUICE_KIND_AUTH, "basic", users);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(send(h, cases[i].authorization) == cases[i].verdict, "case %zu", i);
	harness_close(h);
}
END_TEST

START_TEST(test_user_is_the_credential_and_the_secret_is_not)
{
	static const struct {
		const char *authorization, *user; /* NULL: nobody */
	} cases[] = {
		{"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin"},
		{"Basic YTpiOmM=", "a"},
		{"Basic QWxhZGRpbjo=", NULL},
	};
	struct harness *h = harness_open(SLUICE_KIND_AUTH, "basic", users);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_event *event = harness_event(h);
		harness_header(event, "Authorization", cases[i].authorization);
		(void)harness_process(h, event);
		ck_assert_int_eq(event->credential.data != NULL, cases[i].user != NULL);
		ck_assert_uint_eq(event->credential.size, cases[i].user ? strlen(cases[i].user) : 0);
		ck_assert(!cases[i].user || memcmp(event->credential.data, cases[i].user, strlen(cases[i].user)) == 0);
		harness_free(event);
	}
	harness_close(h);
}
END_TEST

START_TEST(test_every_changed_bit_is_refused)
{
	struct harness *h = harness_open(SLUICE_KIND_AUTH, "basic", users);
	static const char whole[] = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
	for (size_t bit = 8 * strlen("Basic "); bit < 8 * strlen(whole); bit++) {
		char text[sizeof(whole)];
		memcpy(text, whole, sizeof(whole));
		text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
		ck_assert_msg(send(h, text) == SLUICE_REJECT, "bit %zu", bit);
	}
	ck_assert_int_eq(send(h, whole), SLUICE_PASS);
	harness_close(h);
}
END_TEST

START_TEST(test_user_without_name_or_secret_is_refused)
{
	static const char *const wrong[] = {"users=alice", "users=alice:", "users=:secret", "users=a:b,alice"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct sluice_error error = {0};
		ck_assert_ptr_null(harness_try(SLUICE_KIND_AUTH, "basic", (const char *[]){wrong[i], NULL}, &error));
		ck_assert_msg(strstr(error.text, "expected NAME:SECRET") != NULL, "%s", error.text);
		ck_assert_msg(strstr(error.text, "alice") == NULL, "the error shows what was given: %s", error.text);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("auth/basic");
	TCase *basic = tcase_create("basic");
	tcase_add_test(basic, test_known_users_get_in_and_nobody_else);
	tcase_add_test(basic, test_user_is_the_credential_and_the_secret_is_not);
	tcase_add_test(basic, test_every_changed_bit_is_refused);
	tcase_add_test(basic, test_user_without_name_or_secret_is_refused);
	suite_add_tcase(suite, basic);
	return suite;
}

UNIT_SUITE(test_auth_basic, suite)
