/* Old events are removed from PostgreSQL, a step at a time, beside others that are stored. */
#include <string.h>

#include "runtime/abi.h"
#include "support/postgres_store.h"

#define NOW_NS (INT64_C(1700000000) * NS_PER_S)
#define DAY_NS (INT64_C(86400) * NS_PER_S)
#define OLD "to_timestamp(1700000000) - interval '100 days'"

static void fill(struct harness *h, int count)
{
	char id[16];
	for (int i = 1; i <= count; i++) {
		(void)snprintf(id, sizeof(id), "m-%d", i);
		ck_assert_int_eq(store_one(h, id, "s", "{}"), SLUICE_PASS);
	}
}

static bool try_pruning(struct harness *h, struct sluice_pruning *pruning, struct sluice_error *error)
{
	*pruning = (struct sluice_pruning){.before_ns = NOW_NS - 90 * DAY_NS, .after_id = INT64_MIN, .max = 100};
	return abi_retention(h->ops)->prune(&h->stage, pruning, error);
}

static struct sluice_pruning prune(struct harness *h)
{
	struct sluice_pruning pruning;
	struct sluice_error error = {0};
	ck_assert_msg(try_pruning(h, &pruning, &error), "%s", error.text);
	return pruning;
}

START_TEST(test_old_events_go_and_the_trail_stays_intact)
{
	struct harness *h = open_store();
	fill(h, 10);
	run_by_hand("UPDATE webhook_events SET received_at = " OLD " WHERE id % 2 = 0");
	struct sluice_pruning pruning = prune(h);
	ck_assert_uint_eq(pruning.looked, 10);
	ck_assert_uint_eq(pruning.pruned, 5);
	ck_assert_uint_eq(stored_count(h), 5);
	ck_assert_uint_eq(prune(h).pruned, 0);
	struct audit_result result = store_audit(h);
	ck_assert_uint_eq(result.violation_count, 0);
	ck_assert_uint_eq(result.pruned, 5);
	ck_assert_uint_eq(result.rows, 11);
	audit_result_finish(&result);
	ck_assert_int_eq(store_one(h, "m-2", "s", "{}"), SLUICE_PASS);
	ck_assert_int_eq(store_one(h, "m-2", "s", "{}"), SLUICE_DONE);
	run_by_hand("DELETE FROM webhook_events WHERE message_id = 'm-3'");
	result = store_audit(h);
	ck_assert_uint_eq(result.violations[AUDIT_MISSING_EVENT], 1);
	ck_assert_uint_eq(result.violation_count, 1);
	audit_result_finish(&result);
	harness_close(h);
}
END_TEST

START_TEST(test_a_missing_right_is_named_and_health_does_not_suffer)
{
	char option[OPTION_SIZE];
	struct harness *h = open_store();
	fill(h, 2);
	harness_close(h);
	run_by_hand("UPDATE webhook_events SET received_at = " OLD);
	run_by_hand(
		"CREATE ROLE app LOGIN PASSWORD 'app'; GRANT USAGE ON SCHEMA public TO app; GRANT SELECT, INSERT ON "
		"ALL TABLES IN SCHEMA public TO app");
	(void)snprintf(option, sizeof(option), "url=postgresql://app:app@127.0.0.1:%d/sluice", postgres_port(&server));
	h = open_at((const char *[]){option, NULL});
	struct sluice_pruning pruning;
	struct sluice_error error = {0};
	ck_assert(!try_pruning(h, &pruning, &error));
	ck_assert_msg(strstr(error.text, "GRANT DELETE ON public.webhook_events TO app"), "%s", error.text);
	ck_assert_str_eq(store_unhealthy(h), "");
	ck_assert_int_eq(store_one(h, "after", "s", "{}"), SLUICE_PASS);
	harness_close(h);
	run_by_hand("DROP OWNED BY app; DROP ROLE app");
}
END_TEST

/* Another process removes rows while one has looked at them: each is named once. */
START_TEST(test_two_that_prune_at_once_name_each_event_once)
{
	struct harness *one = open_store(), *other = open_store();
	fill(one, 20);
	run_by_hand("UPDATE webhook_events SET received_at = " OLD);
	size_t pruned = prune(one).pruned + prune(other).pruned;
	ck_assert_uint_eq(pruned, 20);
	struct audit_result result = store_audit(one);
	ck_assert_uint_eq(result.violation_count, 0);
	ck_assert_uint_eq(result.pruned, 20);
	audit_result_finish(&result);
	harness_close(one);
	harness_close(other);
}
END_TEST

START_TEST(test_a_trigger_that_keeps_rows_is_obeyed)
{
	struct harness *h = open_store();
	fill(h, 4);
	run_by_hand("UPDATE webhook_events SET received_at = " OLD);
	run_by_hand(
		"CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.message_id = 'm-2' THEN RETURN "
		"NULL; END IF; RETURN OLD; END $$; CREATE TRIGGER keep BEFORE DELETE ON webhook_events FOR EACH ROW EXECUTE "
		"FUNCTION keep()");
	ck_assert_uint_eq(prune(h).pruned, 3);
	ck_assert_uint_eq(stored_count(h), 1);
	(void)store_audit_rows(h);
	run_by_hand(
		"CREATE OR REPLACE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never'; END $$");
	struct sluice_pruning pruning;
	struct sluice_error error = {0};
	ck_assert(!try_pruning(h, &pruning, &error));
	ck_assert_msg(strstr(error.text, "PostgreSQL could not prune"), "%s", error.text);
	ck_assert_str_eq(store_unhealthy(h), "");
	ck_assert_int_eq(store_one(h, "after", "s", "{}"), SLUICE_PASS);
	harness_close(h);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create(stage_name);
	TCase *all = add_group(s, "retention");
	tcase_add_test(all, test_old_events_go_and_the_trail_stays_intact);
	tcase_add_test(all, test_a_missing_right_is_named_and_health_does_not_suffer);
	tcase_add_test(all, test_two_that_prune_at_once_name_each_event_once);
	tcase_add_test(all, test_a_trigger_that_keeps_rows_is_obeyed);
	return s;
}

POSTGRES_SUITE(test_persist_postgres_retention, suite)
