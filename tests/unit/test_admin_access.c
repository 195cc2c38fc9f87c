/*
 * Who may use the admin listener.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/admin_access.h"
#include "support/unit.h"

static struct admin_access access_;
static struct ip_address peer;
static int64_t now_ns = 1000 * NS_PER_S;

static void come_from(const char *address)
{
	ck_assert(ip_address_parse(address, &peer));
}

static void prepare(void)
{
	log_setup(SLUICE_LOG_ERROR, LOG_FORMAT_TEXT, 2);
	come_from("192.0.2.1");
}

static int status_of(const struct admin_credentials *credentials)
{
	const struct admin_denial *denial = admin_access_check(&access_, credentials, &peer, now_ns);
	return denial ? denial->status : 200;
}

START_TEST(test_without_a_token_the_host_must_be_of_this_machine)
{
	static const struct {
		const char *host;
		int status;
	} cases[] = {
		{"localhost", 200},
		{"LOCALHOST:9464", 200},
		{"127.0.0.1:9464", 200},
		{"127.1.2.3", 200},
		{"[::1]:9464", 200},
		{"[::1]", 200},
		{NULL, 200},
		{"evil.example", 421},
		{"evil.example:9464", 421},
		{"localhost.evil", 421},
		{"127.0.0.1.evil", 421},
		{"192.0.2.1:9464", 421},
		{"[2001:db8::1]", 421},
		{"127.0.0.1evil", 421},
		{"[::1].evil.example", 421},
		{"[::1].evil.example:9464", 421},
		{"[::1", 421},
		{"[::1]9464", 421},
		{"[::1]:9464.evil.example", 421},
		{"[127.0.0.1]", 421},
		{"[localhost]", 421},
		{"localhost:evil.example", 421},
		{"localhost:9464:evil", 421},
		{"localhost:", 200},
		{"", 421},
	};
	admin_access_init(&access_, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct admin_credentials credentials = {.method = "GET", .host = cases[i].host};
		ck_assert_msg(status_of(&credentials) == cases[i].status, "%s: expected %d", cases[i].host,
		              cases[i].status);
	}
	admin_access_init(&access_, "secret");
	struct admin_credentials named = {.method = "GET", .host = "metrics.example", .authorization = "Bearer secret"};
	ck_assert_int_eq(status_of(&named), 200);
}
END_TEST

START_TEST(test_page_of_another_site_changes_nothing)
{
	static const struct {
		const char *method, *origin, *site;
		int status;
	} cases[] = {
		{"POST", NULL, NULL, 200},
		{"POST", "http://localhost:9464", NULL, 200},
		{"POST", "http://localhost:9464", "same-origin", 200},
		{"POST", "http://evil.example", NULL, 403},
		{"POST", "http://localhost:8080", NULL, 403},
		{"POST", "https://localhost:9464", NULL, 403},
		{"POST", "null", NULL, 403},
		{"POST", "", NULL, 403},
		{"POST", NULL, "cross-site", 403},
		{"POST", NULL, "same-site", 403},
		{"PUT", "http://evil.example", NULL, 403},
		{"DELETE", NULL, "cross-site", 403},
		{"GET", "http://localhost:8080", "cross-site", 200}, /* the page cannot read it */
	};
	admin_access_init(&access_, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct admin_credentials credentials = {.method = cases[i].method,
		                                        .host = "localhost:9464",
		                                        .origin = cases[i].origin,
		                                        .fetch_site = cases[i].site};
		ck_assert_msg(status_of(&credentials) == cases[i].status, "case %zu: expected %d", i, cases[i].status);
	}
}
END_TEST

START_TEST(test_only_the_token_lets_in)
{
	static const struct {
		const char *authorization;
		int status;
	} cases[] = {
		{"Bearer secret", 200},
		{"bearer secret", 200},
		{"Bearer secret  ", 200},
		{"Bearer secret\t", 200},
		{"Bearer secret \t ", 200},
		{"Bearer secret x", 401},
		{NULL, 401},
		{"Bearer", 401},
		{"Bearer ", 401},
		{"Bearer secre", 401},
		{"Bearer secrett", 401},
		{"Bearer SECRET", 401},
		{"Basic secret", 401},
		{"secret", 401},
		{"Bearer  secret", 401},
		{"", 401},
	};
	admin_access_init(&access_, "secret");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct admin_credentials credentials = {.method = "GET", .authorization = cases[i].authorization};
		ck_assert_msg(status_of(&credentials) == cases[i].status, "%s: expected %d", cases[i].authorization,
		              cases[i].status);
	}
}
END_TEST

static const struct admin_credentials wrong = {.method = "GET", .authorization = "Bearer wrong"};
static const struct admin_credentials right = {.method = "GET", .authorization = "Bearer secret"};
static const struct admin_credentials none = {.method = "GET"};

static void guess(int count)
{
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(status_of(&wrong), 401);
}

START_TEST(test_guesses_are_refused_and_others_are_not)
{
	admin_access_init(&access_, "secret");
	guess(GUESSES_AT_ONCE);
	ck_assert_int_eq(status_of(&wrong), 429);
	ck_assert_int_eq(status_of(&right), 200); /* whoever has the token is not kept out by who has not */
	ck_assert_int_eq(status_of(&none), 401);  /* not a guess */
	ck_assert_int_eq(status_of(&wrong), 429);
	come_from("192.0.2.2");
	ck_assert_int_eq(status_of(&right), 200);
	come_from("192.0.2.1");
	now_ns += NS_PER_S;
	guess(GUESSES_A_SECOND);
	ck_assert_int_eq(status_of(&wrong), 429);
	now_ns += NS_PER_S;
	ck_assert_int_eq(status_of(&right), 200);
}
END_TEST

START_TEST(test_guesses_from_many_addresses_of_one_network_count_together)
{
	char address[64];
	admin_access_init(&access_, "secret");
	for (int i = 0; i < GUESSES_AT_ONCE; i++) {
		(void)snprintf(address, sizeof(address), "2001:db8::%x", i);
		come_from(address);
		guess(1);
	}
	come_from("2001:db8::ffff");
	ck_assert_int_eq(status_of(&wrong), 429);
	/* Many networks fill the table, which forgets one that has guessed once before one that guesses on. */
	for (int i = 0; i < GUESSERS_MAX - 1; i++) {
		(void)snprintf(address, sizeof(address), "2001:db8:%x::1", i + 1);
		come_from(address);
		guess(1);
	}
	come_from("2001:db8:ffff::1");
	guess(1);
	come_from("2001:db8::1");
	ck_assert_int_eq(status_of(&wrong), 429);
}
END_TEST

START_TEST(test_right_token_is_let_in_at_once_whatever_was_guessed)
{
	static const char *const addresses[] = {"192.0.2.1", "::1", "2001:db8::1", "2001:db8::2"};
	admin_access_init(&access_, "secret");
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		come_from(addresses[i]);
		for (int guesses = 0; guesses < 10 * GUESSES_AT_ONCE; guesses++) {
			(void)status_of(&wrong);
			ck_assert_int_eq(status_of(&right), 200);
		}
		ck_assert_int_eq(status_of(&wrong), 429);
	}
}
END_TEST

START_TEST(test_several_authorizations_are_refused_even_if_one_is_right)
{
	struct admin_credentials several = right;
	several.several = true;
	admin_access_init(&access_, "secret");
	ck_assert_int_eq(status_of(&several), 400);
	admin_access_init(&access_, NULL);
	ck_assert_int_eq(status_of(&several), 400);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("admin access");
	TCase *tests = tcase_create("admin access");
	tcase_add_checked_fixture(tests, prepare, NULL);
	tcase_add_test(tests, test_without_a_token_the_host_must_be_of_this_machine);
	tcase_add_test(tests, test_page_of_another_site_changes_nothing);
	tcase_add_test(tests, test_only_the_token_lets_in);
	tcase_add_test(tests, test_guesses_are_refused_and_others_are_not);
	tcase_add_test(tests, test_guesses_from_many_addresses_of_one_network_count_together);
	tcase_add_test(tests, test_right_token_is_let_in_at_once_whatever_was_guessed);
	tcase_add_test(tests, test_several_authorizations_are_refused_even_if_one_is_right);
	suite_add_tcase(suite, tests);
	return suite;
}

UNIT_SUITE(test_admin_access, suite)
