/* persist/postgres: statements that are prepared in a session, which other sessions and the server can spoil. */
#include <stdio.h>

#include "support/postgres_store.h"
#include "support/unit.h"

enum { EVENTS = 12 }; /* the server plans a prepared statement anew five times at least if it is left to itself */

static void store_numbered(struct harness *h, enum sluice_verdict verdict)
{
	for (int i = 0; i < EVENTS; i++) {
		char id[24];
		(void)snprintf(id, sizeof(id), "id-%d", i);
		ck_assert_int_eq(store_one(h, id, "s", "x"), verdict);
	}
}

static struct harness *open_one_connection(void)
{
	return open_at((const char *[]){url_option, "pool.min=1", "pool.max=1", NULL});
}

/* By message_id what was stored and by the other one what was found. */
static const char *const altered[] = {"message_id", "request_id"};

START_TEST(test_a_column_that_gets_another_type_costs_no_event)
{
	char sql[200];
	struct harness *h = open_one_connection();
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_PASS);
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_DONE);
	(void)snprintf(sql, sizeof(sql), "ALTER TABLE webhook_events ALTER COLUMN %s TYPE varchar(100)", altered[_i]);
	run_by_hand(sql);
	ck_assert_int_eq(store_one(h, "2", "s", "x"), SLUICE_PASS);
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_DONE);
	ck_assert_str_eq(store_unhealthy(h), "");
	harness_close(h);
}
END_TEST

#define FORGET(body)                                                                                                   \
	"CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " body "; RETURN NULL; END $$; CREATE " \
	"TRIGGER t AFTER INSERT ON webhook_events FOR EACH STATEMENT EXECUTE FUNCTION forget()"

START_TEST(test_statements_that_somebody_drops_from_the_session_cost_no_event)
{
	struct harness *h = open_one_connection();
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_PASS);
	run_by_hand(FORGET("EXECUTE 'DEALLOCATE ALL'"));
	for (int i = 2; i < 5; i++) {
		char id[8];
		(void)snprintf(id, sizeof(id), "%d", i);
		ck_assert_int_eq(store_one(h, id, "s", "x"), SLUICE_PASS);
	}
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_DONE);
	ck_assert_uint_eq(stored_count(h), 4);
	ck_assert_str_eq(store_unhealthy(h), "");
	harness_close(h);
}
END_TEST

#define OCCUPY                                                                                                         \
	"DECLARE n text; BEGIN FOR n IN SELECT name FROM names WHERE name NOT IN (SELECT name FROM "                   \
	"pg_prepared_statements) LOOP EXECUTE format('PREPARE %I AS SELECT 1', n); END LOOP; RETURN NULL; END"

/* As another Sluice would that has the same session, behind a pooler which shows the backend's own pid. */
START_TEST(test_names_of_statements_that_are_taken_in_the_session_cost_no_event)
{
	struct harness *h = open_one_connection();
	run_by_hand("CREATE TABLE names (name text)");
	run_by_hand(
		FORGET("INSERT INTO names SELECT name FROM pg_prepared_statements WHERE name NOT IN (TABLE names)"));
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_PASS);
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_DONE);
	ck_assert_int_eq(store_one(h, "2", "s", "x"), SLUICE_PASS);
	harness_close(h);
	ck_assert_int_ge(ask_by_hand("SELECT count(*) FROM names WHERE name ~ '^sluice_[0-9]+_[0-9a-f]{16}$'"), 2);
	h = open_one_connection();
	run_by_hand("CREATE OR REPLACE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ " OCCUPY " $$");
	ck_assert_int_eq(store_one(h, "3", "s", "x"), SLUICE_PASS);
	ck_assert_int_eq(store_one(h, "3", "s", "x"), SLUICE_DONE);
	ck_assert_int_eq(store_one(h, "4", "s", "x"), SLUICE_PASS);
	ck_assert_str_eq(store_unhealthy(h), "");
	harness_close(h);
}
END_TEST

/* A backend hands in the last of what it counted when it ends. */
static void wait_for_counts(void)
{
	WAIT_FOR(ask_by_hand("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice'") == 0);
}

/* The server would plan for the empty table, and stay with it. */
START_TEST(test_a_table_that_was_empty_at_first_is_never_read_whole)
{
	harness_close(open_store());
	run_by_hand("ALTER TABLE webhook_events SET (autovacuum_enabled = off)");
	wait_for_counts();
	int before = ask_by_hand("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'webhook_events'");
	struct harness *h = open_one_connection();
	store_numbered(h, SLUICE_PASS);
	store_numbered(h, SLUICE_DONE);
	harness_close(h);
	wait_for_counts();
	ck_assert_int_eq(ask_by_hand("SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'webhook_events'"),
	                 EVENTS);
	ck_assert_int_eq(ask_by_hand("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'webhook_events'"),
	                 before);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("persist/postgres: sessions");
	TCase *session = add_group(s, "session");
	tcase_add_loop_test(session, test_a_column_that_gets_another_type_costs_no_event, 0, COUNT(altered));
	tcase_add_test(session, test_statements_that_somebody_drops_from_the_session_cost_no_event);
	tcase_add_test(session, test_names_of_statements_that_are_taken_in_the_session_cost_no_event);
	tcase_add_test(session, test_a_table_that_was_empty_at_first_is_never_read_whole);
	return s;
}

UNIT_SUITE(test_persist_postgres_session, suite)
