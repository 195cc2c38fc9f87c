/* persist/postgres: which store it announces, and that what was acknowledged is still in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform/bench.h"
#include "support/postgres_store.h"
#include "support/proxy.h"
#include "support/unit.h"

static char last[400]; /* announcement */
static int doubts;

static void take_announcements(void)
{
	char *text = bench_take_announcements(), *rest = text;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		if (!line[0])
			continue;
		(void)snprintf(last, sizeof(last), "%s", line);
		doubts += strcmp(line, "in doubt") == 0;
	}
	free(text);
}

static bool had_doubts(int more_than)
{
	take_announcements();
	return doubts > more_than;
}

/* It is announced again with each look at the server, once a second. */
static bool is_announced(void)
{
	take_announcements();
	return last[0] && strcmp(last, "in doubt") != 0;
}

static void wait_for_identity(char text[400])
{
	take_announcements();
	last[0] = '\0';
	WAIT_FOR(is_announced());
	(void)snprintf(text, sizeof(last), "%s", last);
}

static void make_again(void)
{
	run_by_hand(
		"ALTER TABLE webhook_dead_letters RENAME TO old; CREATE TABLE webhook_dead_letters (LIKE old INCLUDING "
		"ALL); DROP TABLE old");
}

static void empty_events(void)
{
	run_by_hand("TRUNCATE webhook_events");
}

static void crash(void)
{
	postgres_kill(&server);
	postgres_restart(&server, "");
}

static void restart(void)
{
	postgres_restart(&server, "");
}

static void end_sessions(void)
{
	run_by_hand("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'sluice'");
}

/* The copy was made before the last event was stored. */
static void restore_old(void)
{
	postgres_halt(&server);
	postgres_restore(&server, "old");
	postgres_restart(&server, "");
}

static void save_and_restore_new(void)
{
	postgres_halt(&server);
	postgres_save(&server, "new");
	postgres_restore(&server, "new");
	postgres_restart(&server, "");
}

static const struct {
	const char *name;
	void (*event)(void);
	bool other; /* another identity */
	bool lost;  /* and acknowledged events are missing */
	bool doubt; /* in between, as a connection broke */
} events[] = {
	{"crash", crash, .doubt = true},
	{"restart", restart, .doubt = true},
	{"sessions ended", end_sessions, .doubt = true},
	{"newest backup", save_and_restore_new, .doubt = true},
	{"older backup", restore_old, .other = true, .lost = true, .doubt = true},
	{"table made again", make_again, .other = true},
	{"table emptied", empty_events, .other = true},
};

START_TEST(test_the_identity_tells_whether_all_that_was_acknowledged_is_there)
{
	char before[400], after[400];
	struct harness *h = open_at((const char *[]){url_option, NULL});
	ck_assert_int_eq(store_one(h, "early", NULL, "x"), SLUICE_PASS);
	postgres_halt(&server);
	postgres_save(&server, "old");
	postgres_restart(&server, "");
	ck_assert_int_eq(store_until_through(h, store_event(h, "late", NULL, "x")), SLUICE_PASS);
	wait_for_identity(before);
	free(harness_take_log());
	int doubts_before = doubts;
	events[_i].event();
	WAIT_FOR(!events[_i].doubt || had_doubts(doubts_before));
	wait_for_identity(after);
	ck_assert_msg((strcmp(before, after) != 0) == events[_i].other, "%s: before %s, after %s", events[_i].name,
	              before, after);
	char *log = harness_take_log();
	ck_assert_msg((strstr(log, "acknowledged_events_lost") != NULL) == events[_i].lost, "%s: %s", events[_i].name,
	              log);
	free(log);
	/* What comes next is the same store again. */
	ck_assert_int_eq(store_until_through(h, store_event(h, "next", NULL, "x")), SLUICE_PASS);
	wait_for_identity(before);
	ck_assert_str_eq(before, after);
	harness_close(h);
}
END_TEST

START_TEST(test_a_promoted_standby_is_another_store)
{
	struct postgres standby;
	struct proxy proxy;
	char option[OPTION_SIZE], before[400], after[400];
	proxy_start(&proxy, postgres_port(&server));
	option_through(option, proxy.port);
	struct harness *h = open_at((const char *[]){option, NULL});
	postgres_start_standby(&standby, &server);
	ck_assert_int_eq(store_one(h, "id", NULL, "x"), SLUICE_PASS);
	WAIT_FOR(shows(standby.url, "SELECT count(*) FROM webhook_events", 1));
	wait_for_identity(before);
	postgres_halt(&server);
	postgres_promote(&standby);
	atomic_store(&proxy.server_port, postgres_port(&standby));
	ck_assert_int_eq(store_until_through(h, store_event(h, "id", NULL, "x")), SLUICE_DONE);
	wait_for_identity(after);
	ck_assert_str_ne(before, after); /* it has all, but another timeline */
	harness_close(h);
	proxy_stop(&proxy);
	postgres_stop(&standby);
	postgres_restart(&server, "");
}
END_TEST

START_TEST(test_a_table_or_row_that_should_exist_is_a_doubt)
{
	struct harness *h = open_at((const char *[]){url_option, NULL});
	run_by_hand(
		"CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; CREATE "
		"TRIGGER t BEFORE INSERT ON webhook_events FOR EACH ROW EXECUTE FUNCTION drop_it()");
	(void)had_doubts(0);
	int before = doubts;
	ck_assert_int_eq(store_one(h, "id", NULL, "x"), SLUICE_FAIL);
	ck_assert(had_doubts(before));
	run_by_hand("DROP TABLE webhook_events");
	before = doubts;
	ck_assert_int_eq(store_one(h, "id", NULL, "x"), SLUICE_RETRY);
	ck_assert(had_doubts(before));
	harness_close(h);
}
END_TEST

START_TEST(test_without_a_connection_the_store_is_in_doubt)
{
	struct harness *h = open_at((const char *[]){url_option, "pool.min=0", "pool.idle_timeout=50ms", NULL});
	(void)had_doubts(0);
	int before = doubts;
	WAIT_FOR(store_gauge(h, "db_pool_connections", "idle") == 0);
	WAIT_FOR(had_doubts(before));
	before = doubts;
	ck_assert_int_eq(store_one(h, "id", NULL, "x"), SLUICE_PASS);
	WAIT_FOR(store_gauge(h, "db_pool_connections", "idle") == 0);
	WAIT_FOR(had_doubts(before));
	harness_close(h);
}
END_TEST

START_TEST(test_a_server_that_says_nothing_is_soon_a_doubt)
{
	struct proxy proxy;
	char option[OPTION_SIZE];
	proxy_start(&proxy, postgres_port(&server));
	option_through(option, proxy.port);
	struct harness *h = open_at((const char *[]){option, NULL});
	WAIT_FOR(store_gauge(h, "db_pool_connections", "idle") == 2);
	(void)had_doubts(0);
	int before = doubts;
	atomic_store(&proxy.frozen, true); /* without any traffic */
	int64_t start_ns = clock_now_ns();
	WAIT_FOR(had_doubts(before));
	ck_assert_int_lt(clock_now_ns() - start_ns, 4 * NS_PER_S);
	WAIT_FOR(store_unhealthy(h)[0]);
	atomic_store(&proxy.frozen, false);
	WAIT_FOR(!store_unhealthy(h)[0]);
	ck_assert_int_eq(store_until_through(h, store_event(h, "id", NULL, "x")), SLUICE_PASS);
	harness_close(h);
	proxy_stop(&proxy);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("persist/postgres identity");
	TCase *identity = add_group(s, "identity");
	tcase_add_loop_test(identity, test_the_identity_tells_whether_all_that_was_acknowledged_is_there, 0,
	                    COUNT(events));
	tcase_add_test(identity, test_a_promoted_standby_is_another_store);
	tcase_add_test(identity, test_a_table_or_row_that_should_exist_is_a_doubt);
	tcase_add_test(identity, test_without_a_connection_the_store_is_in_doubt);
	tcase_add_test(identity, test_a_server_that_says_nothing_is_soon_a_doubt);
	return s;
}

UNIT_SUITE(test_persist_postgres_identity, suite)
