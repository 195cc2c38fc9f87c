/* Old events are removed from SQLite, a step at a time, and the audit trail goes on proving what there is. */
#include "runtime/abi.h"
#include "support/sqlite_store.h"
#include "support/unit.h"

#define NOW_NS (INT64_C(1700000000) * NS_PER_S)
#define DAY_NS (INT64_C(86400) * NS_PER_S)
enum { EVENTS = 10 };

/* Events 1 to 10, of which those with ids up to `old` came a hundred days ago. */
static struct harness *open_filled(int old)
{
	char id[16], sql[128];
	struct harness *h = open_store();
	for (int i = 1; i <= EVENTS; i++) {
		(void)snprintf(id, sizeof(id), "m-%d", i);
		ck_assert_int_eq(store_one(h, id, "s", "payload"), SLUICE_PASS);
	}
	(void)snprintf(sql, sizeof(sql), "UPDATE webhook_events SET received_at = %lld + (id > %d) * %lld",
	               (long long)((NOW_NS - 100 * DAY_NS) / 1000), old, (long long)(100 * DAY_NS / 1000));
	run_by_hand(sql);
	return h;
}

static struct sluice_pruning prune(struct harness *h, int64_t after_id, size_t max)
{
	struct sluice_pruning pruning = {.before_ns = NOW_NS - 90 * DAY_NS, .after_id = after_id, .max = max};
	struct sluice_error error = {0};
	ck_assert_msg(abi_retention(h->ops)->prune(&h->stage, &pruning, &error), "%s", error.text);
	return pruning;
}

static struct audit_result expect_violations(struct harness *h, uint64_t count)
{
	struct audit_result result = store_audit(h);
	ck_assert_uint_eq(result.violation_count, count);
	return result;
}

START_TEST(test_old_events_go_and_the_trail_stays_intact)
{
	struct harness *h = open_filled(6);
	struct sluice_pruning step = prune(h, INT64_MIN, 4);
	ck_assert_uint_eq(step.looked, 4);
	ck_assert_uint_eq(step.pruned, 4);
	ck_assert_int_eq(step.after_id, 4);
	step = prune(h, step.after_id, 4);
	ck_assert_uint_eq(step.looked, 4);
	ck_assert_uint_eq(step.pruned, 2);
	ck_assert_int_eq(step.after_id, 8);
	step = prune(h, step.after_id, 4);
	ck_assert_uint_eq(step.looked, 2);
	ck_assert_uint_eq(step.pruned, 0);
	step = prune(h, step.after_id, 4);
	ck_assert_uint_eq(step.looked, 0);
	ck_assert_uint_eq(stored_count(h), 4);
	struct audit_result result = expect_violations(h, 0);
	ck_assert_uint_eq(result.events, 4);
	ck_assert_uint_eq(result.pruned, 6);
	ck_assert_uint_eq(result.prunings, 2);
	ck_assert_uint_eq(result.rows, EVENTS + 2);
	ck_assert_int_eq(result.pruned_before_ns, NOW_NS - 90 * DAY_NS);
	audit_result_finish(&result);
	harness_close(h);
}
END_TEST

START_TEST(test_nothing_old_adds_no_row_to_the_trail)
{
	struct harness *h = open_filled(0);
	ck_assert_uint_eq(prune(h, INT64_MIN, 100).pruned, 0);
	ck_assert_uint_eq(store_audit_rows(h), EVENTS);
	harness_close(h);
}
END_TEST

START_TEST(test_an_event_sent_again_after_its_removal_is_stored_under_a_new_id)
{
	struct harness *h = open_filled(EVENTS);
	ck_assert_uint_eq(prune(h, INT64_MIN, 100).pruned, EVENTS);
	ck_assert_uint_eq(stored_count(h), 0);
	ck_assert_int_eq(store_one(h, "m-3", "s", "payload"), SLUICE_PASS);
	ck_assert_int_eq(store_one(h, "m-3", "s", "payload"), SLUICE_DONE);
	struct store_image image = stored_read(h);
	ck_assert_uint_eq(image.count, 1);
	ck_assert_int_eq(image.records[0].id, EVENTS + 1);
	stored_free(&image);
	(void)store_audit_rows(h);
	harness_close(h);
}
END_TEST

/* What is done by hand to a store that has been pruned, and what is found. */
static const struct {
	const char *sql;
	enum audit_violation violation;
	uint64_t count;
} crimes[] = {
	{"DELETE FROM webhook_events WHERE id = 8", AUDIT_MISSING_EVENT, 1},
	{"DROP TRIGGER webhook_audit_trail_no_delete; DELETE FROM webhook_audit_trail WHERE position = 11",
         AUDIT_MISSING_EVENT, 6},
	{"DROP TRIGGER webhook_audit_trail_no_update; UPDATE webhook_audit_trail SET covers = CAST(substr(covers, 1, "
         "length(covers) - 1) AS BLOB) WHERE position = 11",
         AUDIT_BAD_PRUNING, 1},
	{"DROP TRIGGER webhook_audit_trail_no_update; UPDATE webhook_audit_trail SET covers = CAST(covers || x'01' AS "
         "BLOB) WHERE position = 11",
         AUDIT_BAD_PRUNING, 1},
	{"DROP TRIGGER webhook_audit_trail_no_update; UPDATE webhook_audit_trail SET covers = CAST(substr(covers, 1, "
         "20) AS BLOB) WHERE position = 11",
         AUDIT_BAD_PRUNING, 1},
	{"INSERT INTO webhook_events (id, message_id, event_type, stream, payload, digest, request_id, received_at) "
         "SELECT 3, 'm-3', event_type, stream, payload, digest, request_id, received_at FROM webhook_events WHERE id "
         "= 8",
         AUDIT_PRUNED_EVENT, 1},
};

START_TEST(test_what_was_done_by_hand_after_a_removal_is_found)
{
	struct harness *h = open_filled(6);
	(void)prune(h, INT64_MIN, 100);
	run_by_hand(crimes[_i].sql);
	struct audit_result result = store_audit(h);
	ck_assert_uint_eq(result.violations[crimes[_i].violation], crimes[_i].count);
	audit_result_finish(&result);
	harness_close(h);
}
END_TEST

/* The row names what was stored with its digest; a digest that was changed before shows. */
START_TEST(test_an_event_that_was_altered_before_its_removal_shows)
{
	struct harness *h = open_filled(6);
	run_by_hand("UPDATE webhook_events SET digest = randomblob(32) WHERE id = 2");
	(void)prune(h, INT64_MIN, 100);
	struct audit_result result = store_audit(h);
	ck_assert_uint_eq(result.violations[AUDIT_BAD_PRUNING], 1);
	audit_result_finish(&result);
	harness_close(h);
}
END_TEST

START_TEST(test_a_database_that_refuses_to_remove_says_so_and_stays_whole)
{
	struct harness *h = open_filled(6);
	struct sluice_pruning pruning = {.before_ns = NOW_NS, .after_id = INT64_MIN, .max = 100};
	struct sluice_error error = {0};
	run_by_hand(
		"CREATE TRIGGER keep BEFORE DELETE ON webhook_events WHEN OLD.id = 5 BEGIN SELECT RAISE(ABORT, 'kept'); END");
	ck_assert(!abi_retention(h->ops)->prune(&h->stage, &pruning, &error));
	ck_assert_msg(strstr(error.text, "SQLite could not prune"), "%s", error.text);
	ck_assert_uint_eq(pruning.pruned, 0);
	ck_assert_int_eq(pruning.after_id, INT64_MIN);
	ck_assert_uint_eq(stored_count(h), EVENTS);
	ck_assert_int_eq(store_one(h, "after", "s", "payload"), SLUICE_PASS);
	(void)store_audit_rows(h);
	harness_close(h);
}
END_TEST

START_TEST(test_many_events_and_large_ids_are_named_as_well)
{
	struct harness *h = open_store();
	run_by_hand("INSERT INTO sqlite_sequence (name, seq) VALUES ('webhook_events', 4611686018427387904)");
	ck_assert_int_eq(store_one(h, "first", "s", "payload"), SLUICE_PASS);
	for (int i = 0; i < 300; i++) {
		char id[16];
		(void)snprintf(id, sizeof(id), "m-%d", i);
		ck_assert_int_eq(store_one(h, id, "s", "payload"), SLUICE_PASS);
	}
	run_by_hand("UPDATE webhook_events SET received_at = 0; DELETE FROM webhook_events WHERE message_id = 'm-150'");
	ck_assert_uint_eq(prune(h, INT64_MIN, 1000).pruned, 300);
	struct audit_result result = expect_violations(h, 1); /* what was removed by hand */
	ck_assert_uint_eq(result.violations[AUDIT_MISSING_EVENT], 1);
	ck_assert_uint_eq(result.pruned, 300);
	audit_result_finish(&result);
	harness_close(h);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("persist_sqlite_retention");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, make_folder, remove_folder);
	tcase_add_test(all, test_old_events_go_and_the_trail_stays_intact);
	tcase_add_test(all, test_nothing_old_adds_no_row_to_the_trail);
	tcase_add_test(all, test_an_event_sent_again_after_its_removal_is_stored_under_a_new_id);
	tcase_add_loop_test(all, test_what_was_done_by_hand_after_a_removal_is_found, 0,
	                    sizeof(crimes) / sizeof(crimes[0]));
	tcase_add_test(all, test_an_event_that_was_altered_before_its_removal_shows);
	tcase_add_test(all, test_a_database_that_refuses_to_remove_says_so_and_stays_whole);
	tcase_add_test(all, test_many_events_and_large_ids_are_named_as_well);
	tcase_set_timeout(all, 60);
	suite_add_tcase(s, all);
	return s;
}

UNIT_SUITE(test_persist_sqlite_retention, suite)
