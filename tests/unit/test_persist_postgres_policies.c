/* persist/postgres, and whatever stores as it does: row level security, whose policies hide or refuse rows. */
#include <stdio.h>
#include <string.h>

#include "support/postgres_store.h"
#include "support/unit.h"

#define POLICED(table) "ALTER TABLE " table " ENABLE ROW LEVEL SECURITY;"
#define OPEN_TO_ALL(table) POLICED(table) "CREATE POLICY p ON " table " USING (true) WITH CHECK (true);"

enum { WRITTEN_COUNT = 6 };

/* Of tables to which an event is written, first. */
static const struct {
	const char *sql, *table;
} policies[] = {
	{POLICED("webhook_events"), "webhook_events"}, /* without a policy: nothing is seen, nothing may be written */
	{POLICED("webhook_events") "CREATE POLICY seen ON webhook_events FOR SELECT USING (message_id <> 'poison'); CREATE "
                                   "POLICY written ON webhook_events FOR INSERT WITH CHECK (true)",
         "webhook_events"},
	{POLICED("webhook_events") "CREATE POLICY seen ON webhook_events FOR SELECT USING (true); CREATE POLICY written ON "
                                   "webhook_events FOR INSERT WITH CHECK (message_id <> 'poison')",
         "webhook_events"},
	{OPEN_TO_ALL(
		 "webhook_events") "CREATE POLICY less ON webhook_events AS RESTRICTIVE USING (event_type <> 'type')",
         "webhook_events"},
	{OPEN_TO_ALL("webhook_events"), "webhook_events"}, /* harmless, but Sluice cannot prove that */
	{POLICED("webhook_audit_trail"), "webhook_audit_trail"},
	{POLICED("webhook_dead_letters"), "webhook_dead_letters"},
	{POLICED("webhook_schema"), "webhook_schema"},
};

static const char sentence[] =
	"url: row level security may hide events from the database role; give the role BYPASSRLS, "
	"or have an owner run: ALTER TABLE public.";

/* Another role than the owner of the tables; its url is in `option`. */
static void make_role(char option[OPTION_SIZE])
{
	harness_close(open_store());
	run_by_hand(
		"CREATE ROLE app LOGIN PASSWORD 'app'; GRANT USAGE ON SCHEMA public TO app; GRANT SELECT, INSERT ON ALL "
		"TABLES IN SCHEMA public TO app");
	(void)snprintf(option, OPTION_SIZE, "url=postgresql://app:app@127.0.0.1:%d/sluice", postgres_port(&server));
}

static void drop_role(void)
{
	run_by_hand("DROP OWNED BY app; DROP ROLE app");
}

static void expect_said(const char *text, const char *table)
{
	ck_assert_msg(strstr(text, sentence) != NULL && strstr(text, table) != NULL, "said \"%s\"", text);
}

static void lift(int i)
{
	char sql[400];
	(void)snprintf(
		sql, sizeof(sql),
		"SET client_min_messages = warning; ALTER TABLE %s DISABLE ROW LEVEL SECURITY; DROP POLICY IF EXISTS p ON %s; DROP POLICY IF EXISTS seen ON "
		"%s; DROP POLICY IF EXISTS written ON %s; DROP POLICY IF EXISTS less ON %s",
		policies[i].table, policies[i].table, policies[i].table, policies[i].table, policies[i].table);
	run_by_hand(sql);
}

START_TEST(test_a_store_whose_rows_a_policy_may_hide_is_refused_and_so_is_a_reader)
{
	char option[OPTION_SIZE];
	make_role(option);
	for (int i = 0; i < COUNT(policies); i++) {
		struct sluice_error error = {0}, of_reader = {0};
		const char *const options[] = {option, NULL};
		run_by_hand(policies[i].sql);
		ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, stage_name, options, &error));
		ck_assert_ptr_null(harness_try_read_only(SLUICE_KIND_PERSIST, stage_name, options, &of_reader));
		expect_said(error.text, policies[i].table);
		expect_said(of_reader.text, policies[i].table);
		lift(i);
	}
	run_by_hand(policies[0].sql);
	run_by_hand("ALTER ROLE app BYPASSRLS");
	struct harness *h = open_at((const char *[]){option, NULL});
	ck_assert_int_eq(store_one(h, "poison", "s", "x"), SLUICE_PASS);
	ck_assert_uint_eq(stored_count(h), 1);
	harness_close(h);
	drop_role();
}
END_TEST

START_TEST(test_a_policy_that_is_made_while_the_store_runs_costs_no_event)
{
	char option[OPTION_SIZE];
	make_role(option);
	struct harness *h = open_at((const char *[]){option, NULL});
	ck_assert_int_eq(store_one(h, "first", "s", "x"), SLUICE_PASS);
	run_by_hand(policies[_i].sql);
	struct sluice_event *events[] = {store_event(h, "poison", "s", "x"), store_event(h, "other", "s", "x"),
	                                 store_event(h, "first", "s", "x")};
	enum sluice_verdict verdicts[COUNT(events)];
	harness_process_batch(h, events, verdicts, COUNT(events));
	ck_assert_int_eq(verdicts[0], SLUICE_RETRY);
	ck_assert_int_eq(verdicts[1], SLUICE_RETRY);
	ck_assert_int_ne(verdicts[2], SLUICE_PASS);
	expect_said(harness_detail(events[0]), policies[_i].table);
	WAIT_FOR(strstr(store_unhealthy(h), sentence));
	lift(_i);
	for (int i = 0; i < COUNT(events); i++)
		ck_assert_int_eq(store_until_through(h, events[i]), i == 2 ? SLUICE_DONE : SLUICE_PASS);
	ck_assert_uint_eq(stored_count(h), 3);
	ck_assert_str_eq(store_unhealthy(h), "");
	(void)store_audit_rows(h);
	harness_close(h);
	drop_role();
}
END_TEST

START_TEST(test_a_dead_letter_that_a_policy_may_hide_is_not_called_stored)
{
	char option[OPTION_SIZE];
	make_role(option);
	struct harness *h = open_at((const char *[]){option, NULL});
	struct sluice_event *event = store_event(h, "1", "s", "x");
	struct sluice_error error = {0};
	run_by_hand(OPEN_TO_ALL("webhook_dead_letters"));
	ck_assert(!h->ops->of.persist->dead_letter(&h->stage, event, "why", &error));
	expect_said(error.text, "webhook_dead_letters");
	run_by_hand("ALTER TABLE webhook_dead_letters DISABLE ROW LEVEL SECURITY");
	ck_assert(h->ops->of.persist->dead_letter(&h->stage, event, "why", NULL));
	harness_settle(h, event, SLUICE_PASS);
	harness_close(h);
	drop_role();
}
END_TEST

/* Policies do not apply to it unless they are forced. The test's own role is a superuser, to whom none ever does. */
START_TEST(test_policies_that_are_not_for_the_owner_of_the_tables_are_none_of_its_business)
{
	char option[OPTION_SIZE];
	make_role(option);
	run_by_hand("ALTER TABLE webhook_events OWNER TO app; ALTER TABLE webhook_events ENABLE ROW LEVEL SECURITY");
	struct harness *h = open_at((const char *[]){option, NULL});
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_PASS);
	run_by_hand("ALTER TABLE webhook_events FORCE ROW LEVEL SECURITY");
	struct sluice_event *event = store_event(h, "2", "s", "x");
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	expect_said(harness_detail(event), "webhook_events");
	run_by_hand("ALTER TABLE webhook_events NO FORCE ROW LEVEL SECURITY");
	ck_assert_int_eq(store_until_through(h, event), SLUICE_PASS);
	harness_close(h);
	run_by_hand("ALTER TABLE webhook_events OWNER TO CURRENT_USER");
	drop_role();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("persist/postgres: policies");
	TCase *tests = add_group(s, "policies");
	tcase_add_test(tests, test_a_store_whose_rows_a_policy_may_hide_is_refused_and_so_is_a_reader);
	tcase_add_loop_test(tests, test_a_policy_that_is_made_while_the_store_runs_costs_no_event, 0, WRITTEN_COUNT);
	tcase_add_test(tests, test_a_dead_letter_that_a_policy_may_hide_is_not_called_stored);
	tcase_add_test(tests, test_policies_that_are_not_for_the_owner_of_the_tables_are_none_of_its_business);
	return s;
}

POSTGRES_SUITE(test_persist_postgres_policies, suite)
