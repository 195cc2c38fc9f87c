/* persist/postgres: the url, the hosts in it, and the password that must not be seen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/postgres_store.h"
#include "support/proxy.h"
#include "support/unit.h"

static const char *const no_server_urls[] = {
	"postgresql://user:sEcReT@127.0.0.1:1/db",
	"host=127.0.0.1 port=1 user=u password=sEcReT",
};

START_TEST(test_without_a_server_the_start_fails_with_a_sentence)
{
	char option[300];
	struct sluice_error error = {0};
	(void)snprintf(option, sizeof(option), "url=%s", no_server_urls[_i]);
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, "postgres", (const char *[]){option, NULL}, &error));
	ck_assert_msg(strstr(error.text, "cannot connect to PostgreSQL: ") != NULL, "said \"%s\"", error.text);
	ck_assert_ptr_nonnull(strstr(error.text, "127.0.0.1"));
	ck_assert_ptr_null(strstr(error.text, "sEcReT"));
}
END_TEST

START_TEST(test_a_server_that_says_nothing_holds_nobody)
{
	int port;
	char option[300];
	int listener = listen_silently(&port);
	(void)snprintf(option, sizeof(option), "url=postgresql://u:sEcReT@127.0.0.1:%d/db", port);
	struct sluice_error error = {0};
	int64_t start_ns = clock_now_ns();
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, "postgres",
	                               (const char *[]){option, "pool.connect_timeout=200ms", NULL}, &error));
	ck_assert_int_lt(clock_now_ns() - start_ns, 2 * NS_PER_S);
	ck_assert_msg(strstr(error.text, "pool.connect_timeout") != NULL, "said \"%s\"", error.text);
	(void)close(listener);
}
END_TEST

static const struct {
	const char *options[4];
	const char *words;
} bad_configs[] = {
	{{"url=postgresql://u:sEcReT@[::1/db", NULL}, "url: neither"},
	{{"url=host=x sEcReT", NULL}, "url: neither"},
	{{"url=postgresql://u:sEcReT@127.0.0.1/db?what=1", NULL}, "url: neither"},
	{{"url=host=x password=sEcReT", "pool.min=5", "pool.max=4", NULL}, "pool.min: expected at most pool.max (4"},
};

START_TEST(test_a_bad_configuration_is_refused_without_its_secret)
{
	struct sluice_error error = {0};
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, "postgres", bad_configs[_i].options, &error));
	ck_assert_msg(strstr(error.text, bad_configs[_i].words) != NULL, "said \"%s\"", error.text);
	ck_assert_ptr_null(strstr(error.text, "sEcReT"));
}
END_TEST

START_TEST(test_a_wrong_password_is_said_and_not_shown)
{
	char option[300];
	(void)snprintf(option, sizeof(option), "url=postgresql://sluice:sEcReT@127.0.0.1:%d/sluice", postgres_port(&server));
	struct sluice_error error = {0};
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, "postgres", (const char *[]){option, NULL}, &error));
	ck_assert_msg(strstr(error.text, "password authentication failed") != NULL, "said \"%s\"", error.text);
	ck_assert_ptr_null(strstr(error.text, "sEcReT"));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("persist/postgres address");
	TCase *address = add_group(s, "address");
	tcase_add_loop_test(address, test_without_a_server_the_start_fails_with_a_sentence, 0, COUNT(no_server_urls));
	tcase_add_test(address, test_a_server_that_says_nothing_holds_nobody);
	tcase_add_loop_test(address, test_a_bad_configuration_is_refused_without_its_secret, 0, COUNT(bad_configs));
	tcase_add_test(address, test_a_wrong_password_is_said_and_not_shown);
	return s;
}

UNIT_SUITE(test_persist_postgres_address, suite)
