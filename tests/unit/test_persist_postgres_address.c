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
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, stage_name, (const char *[]){option, NULL}, &error));
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
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, stage_name,
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
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, stage_name, bad_configs[_i].options, &error));
	ck_assert_msg(strstr(error.text, bad_configs[_i].words) != NULL, "said \"%s\"", error.text);
	ck_assert_ptr_null(strstr(error.text, "sEcReT"));
}
END_TEST

START_TEST(test_a_wrong_password_is_said_and_not_shown)
{
	char option[300];
	(void)snprintf(option, sizeof(option), "url=postgresql://sluice:sEcReT@127.0.0.1:%d/sluice",
	               postgres_port(&server));
	struct sluice_error error = {0};
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, stage_name, (const char *[]){option, NULL}, &error));
	ck_assert_msg(strstr(error.text, "password authentication failed") != NULL, "said \"%s\"", error.text);
	ck_assert_ptr_null(strstr(error.text, "sEcReT"));
}
END_TEST

/* What a password is that was not percent-encoded, and the parts of it that must not be seen. */
static const struct {
	const char *url;
	bool checked; /* `sluice check` finds it already */
} torn_urls[] = {
	{"postgresql://app:Tiger@Lily77@127.0.0.1:1/hooks", true},
	{"postgresql://app:Tiger/Lily77@127.0.0.1:1/hooks", true},
	{"postgresql://app:Tiger#Lily77@127.0.0.1:1/hooks", false},
	{"postgresql://app:Tiger?Lily77@127.0.0.1:1/hooks", false},
	{"postgresql://app:4711/Tiger@Lily77@127.0.0.1/hooks", true},
	{"postgresql://app:Tiger:Lily77@127.0.0.1:1/hooks", false},
	{"postgresql://Tiger/Lily77@127.0.0.1", true},
	{"postgresql://app:5432/Tiger?Lily77@127.0.0.1:1/hooks", true},
	{"postgresql://app:Tiger%Lily77@127.0.0.1:1/hooks", true},
	{"postgresql://app@127.0.0.1:Tiger/Lily77", true},
	{"postgresql://app@127.0.0.1:70000/Tiger", true},
	{"host=127.0.0.1 port=1 user=app password=Tiger Lily77 dbname=hooks", true},
	{"host=127.0.0.1 port=1 user=app password=Tiger'Lily77 dbname=hooks", false},
	{"host=127.0.0.1@Tiger port=1 password=Lily77", true},
	{"host=127.0.0.1 port=Tiger password=Lily77", true},
	{"host=Lily77.invalid port=1 password=Tiger sslmode=Tiger", false},
	{"postgresql://app:Tiger@127.0.0.1:1/hooks?sslrootcert=/Tiger/Lily77&sslmode=verify-full", false},
};

START_TEST(test_no_part_of_a_password_that_tore_the_url_is_seen)
{
	char option[OPTION_SIZE];
	struct sluice_error error = {0};
	(void)snprintf(option, sizeof(option), "url=%s", torn_urls[_i].url);
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, stage_name,
	                               (const char *[]){option, "pool.connect_timeout=1s", NULL}, &error));
	ck_assert_ptr_null(strstr(error.text, "Tiger"));
	ck_assert_msg(!strstr(error.text, "Lily77") || strstr(torn_urls[_i].url, "host=Lily77"), "said \"%s\"",
	              error.text);
	ck_assert_msg((strstr(error.text, "percent-encoded") != NULL) >= torn_urls[_i].checked, "said \"%s\"",
	              error.text);
	ck_assert_msg((strncmp(error.text, "url: ", 5) == 0) >= torn_urls[_i].checked, "said \"%s\"", error.text);
}
END_TEST

/* %d is the port of a server that lives, %s the password. */
static const char *const healthy_urls[] = {
	"postgres://sluice:%s@127.0.0.1:%d/sluice",
	"host=127.0.0.1 user=sluice password=%s port=%d dbname=sluice",
	"postgresql://sluice:%s@localhost:%d/sluice?connect_timeout=2&target_session_attrs=read-write",
	"postgresql:///sluice?user=sluice&password=%s&host=127.0.0.1&port=%d",
	"hostaddr=127.0.0.1 user=sluice password=%s port=%d dbname=sluice",
};

START_TEST(test_a_healthy_url_is_taken)
{
	char url[OPTION_SIZE], option[OPTION_SIZE + 4];
	(void)snprintf(url, sizeof(url), healthy_urls[_i], server.password, postgres_port(&server));
	(void)snprintf(option, sizeof(option), "url=%s", url);
	struct harness *h = open_at((const char *[]){option, NULL});
	ck_assert_int_eq(store_one(h, "id", NULL, "x"), SLUICE_PASS);
	harness_close(h);
}
END_TEST

/* A url with two hosts: the first has port `first`, the second is the server. */
static void two_hosts(char option[OPTION_SIZE], int first, const char *more)
{
	(void)snprintf(option, OPTION_SIZE, "url=postgresql://sluice:%s@127.0.0.1:%d,localhost:%d/sluice%s",
	               server.password, first, postgres_port(&server), more);
}

static const struct {
	const char *more, *timeout;
	int64_t within_ms;
} silent_hosts[] = {
	{"", "pool.connect_timeout=4s", 4000},
	{"?connect_timeout=1", "pool.connect_timeout=20s", 4000},
	{"?target_session_attrs=read-write", "pool.connect_timeout=3s", 3000},
};

START_TEST(test_a_first_host_that_says_nothing_leaves_time_for_the_second)
{
	int port, listener = listen_silently(&port);
	char option[OPTION_SIZE];
	two_hosts(option, port, silent_hosts[_i].more);
	int64_t start_ns = clock_now_ns();
	struct harness *h = open_at((const char *[]){option, silent_hosts[_i].timeout, "pool.min=1", NULL});
	ck_assert_int_lt(clock_now_ns() - start_ns, silent_hosts[_i].within_ms * NS_PER_MS);
	ck_assert_int_eq(store_one(h, "id", NULL, "x"), SLUICE_PASS);
	/* The next one goes at once where the last one came through. */
	run_by_hand("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'sluice'");
	start_ns = clock_now_ns();
	ck_assert_int_eq(store_until_through(h, store_event(h, "2", NULL, "x")), SLUICE_PASS);
	ck_assert_int_lt(clock_now_ns() - start_ns, 1000 * NS_PER_MS);
	harness_close(h);
	(void)close(listener);
}
END_TEST

START_TEST(test_a_first_host_that_only_reads_leaves_the_writing_to_the_second)
{
	struct postgres other;
	char option[OPTION_SIZE];
	postgres_start_standby(&other, &server);
	two_hosts(option, postgres_port(&other), "");
	struct harness *h = open_at((const char *[]){option, NULL});
	ck_assert_int_eq(store_one(h, "id", NULL, "x"), SLUICE_PASS);
	postgres_halt(&server);
	ck_assert_int_eq(store_one(h, "2", NULL, "x"), SLUICE_RETRY);
	WAIT_FOR(store_unhealthy(h)[0]);
	postgres_promote(&other);
	ck_assert_int_eq(store_until_through(h, store_event(h, "2", NULL, "x")), SLUICE_PASS);
	ck_assert_int_eq(ask_at(other.url, "SELECT count(*) FROM webhook_events"), 2);
	WAIT_FOR(!store_unhealthy(h)[0]);
	harness_close(h);
	postgres_stop(&other);
	postgres_restart(&server, "");
}
END_TEST

START_TEST(test_hosts_that_are_all_away_fail_in_time_and_health_names_none)
{
	int ports[2], listeners[2] = {listen_silently(&ports[0]), listen_silently(&ports[1])};
	char option[OPTION_SIZE], port[16];
	struct sluice_error error = {0};
	(void)snprintf(option, sizeof(option), "url=postgresql://u:sEcReT@127.0.0.1:%d,127.0.0.1:%d/db", ports[0],
	               ports[1]);
	int64_t start_ns = clock_now_ns();
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, stage_name,
	                               (const char *[]){option, "pool.connect_timeout=600ms", NULL}, &error));
	ck_assert_int_lt(clock_now_ns() - start_ns, 3 * NS_PER_S);
	(void)snprintf(port, sizeof(port), "%d", ports[1]);
	ck_assert_msg(strstr(error.text, port) != NULL, "said \"%s\"", error.text); /* at start, to who started it */
	ck_assert_ptr_null(strstr(error.text, "sEcReT"));

	struct harness *h = open_store();
	(void)snprintf(port, sizeof(port), "%d", postgres_port(&server));
	postgres_halt(&server);
	struct sluice_event *event = store_event(h, "id", NULL, "x");
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	WAIT_FOR(strstr(store_unhealthy(h), "connection refused"));
	ck_assert_ptr_null(strstr(store_unhealthy(h), "127.0.0.1"));
	ck_assert_ptr_null(strstr(store_unhealthy(h), port));
	ck_assert_ptr_null(strstr(harness_detail(event), "127.0.0.1"));
	harness_settle(h, event, SLUICE_RETRY);
	harness_close(h);
	postgres_restart(&server, "");
	(void)close(listeners[0]);
	(void)close(listeners[1]);
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
	tcase_add_loop_test(address, test_no_part_of_a_password_that_tore_the_url_is_seen, 0, COUNT(torn_urls));
	tcase_add_loop_test(address, test_a_healthy_url_is_taken, 0, COUNT(healthy_urls));
	tcase_add_loop_test(address, test_a_first_host_that_says_nothing_leaves_time_for_the_second, 0,
	                    COUNT(silent_hosts));
	tcase_add_test(address, test_a_first_host_that_only_reads_leaves_the_writing_to_the_second);
	tcase_add_test(address, test_hosts_that_are_all_away_fail_in_time_and_health_names_none);
	return s;
}

UNIT_SUITE(test_persist_postgres_address, suite)
