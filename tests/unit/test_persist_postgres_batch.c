/* persist/postgres_batch: what only a batch can show. What holds for one event is in the suites of persist/postgres. */
#include <stdio.h>
#include <string.h>

#include "support/postgres_store.h"
#include "support/unit.h"

enum { BATCH_MAX = 64 };

struct delivery {
	struct harness *h;
	struct sluice_event *events[BATCH_MAX];
	enum sluice_verdict verdicts[BATCH_MAX];
	size_t count;
};

static struct sluice_event *add(struct delivery *delivery, const char *id, const char *stream, const char *payload)
{
	return delivery->events[delivery->count++] = store_event(delivery->h, id, stream, payload);
}

static void add_numbered(struct delivery *delivery, const char *prefix, int count)
{
	for (int i = 0; i < count; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "%s-%d", prefix, i);
		(void)add(delivery, id, i % 2 ? "odd" : "even", "x");
	}
}

static void send_batch(struct delivery *delivery)
{
	for (size_t i = 0; i < delivery->count; i++)
		delivery->verdicts[i] = SLUICE_FAIL;
	harness_process_batch(delivery->h, delivery->events, delivery->verdicts, delivery->count);
}

static void expect_all(struct delivery *delivery, enum sluice_verdict verdict)
{
	for (size_t i = 0; i < delivery->count; i++)
		ck_assert_msg(delivery->verdicts[i] == verdict, "event %zu: verdict %d: %s", i, delivery->verdicts[i],
		              harness_detail(delivery->events[i]));
}

static void end(struct delivery *delivery)
{
	for (size_t i = 0; i < delivery->count; i++)
		harness_settle(delivery->h, delivery->events[i], delivery->verdicts[i]);
	delivery->count = 0;
}

static struct harness *open_batch(const char *option)
{
	stage_name = "postgres_batch";
	return open_with(option, NULL);
}

START_TEST(test_a_batch_is_one_transaction_with_one_audit_row)
{
	struct delivery delivery = {.h = open_batch(NULL)};
	add_numbered(&delivery, "id", BATCH_MAX);
	send_batch(&delivery);
	expect_all(&delivery, SLUICE_PASS);
	end(&delivery);
	ck_assert_int_eq(ask_by_hand("SELECT count(DISTINCT xmin::text) FROM webhook_events"), 1);
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM webhook_events a, webhook_events b WHERE a.id < b.id AND "
	                             "split_part(a.message_id, '-', 2)::int > split_part(b.message_id, '-', 2)::int"),
	                 0);
	ck_assert_uint_eq(store_audit_rows(delivery.h), 1);
	harness_close(delivery.h);
}
END_TEST

START_TEST(test_each_event_of_a_mixed_batch_gets_its_own_verdict)
{
	struct delivery delivery = {.h = open_batch(NULL)};
	ck_assert_int_eq(store_one(delivery.h, "old", "s", "x"), SLUICE_PASS);
	static const struct {
		const char *id, *payload;
		enum sluice_verdict verdict;
	} events[] = {
		{"old", "x", SLUICE_DONE},   {"new", "x", SLUICE_PASS}, {"old", "y", SLUICE_REJECT},
		{NULL, "x", SLUICE_PASS},    {"new", "x", SLUICE_DONE}, {NULL, "x", SLUICE_PASS},
		{"new", "y", SLUICE_REJECT}, {"z", "x", SLUICE_PASS},   {"a\xff", "x", SLUICE_FAIL},
		{"z", "x", SLUICE_DONE},
	};
	for (int i = 0; i < COUNT(events); i++)
		(void)add(&delivery, events[i].id, "s", events[i].payload);
	send_batch(&delivery);
	for (int i = 0; i < COUNT(events); i++)
		ck_assert_msg(delivery.verdicts[i] == events[i].verdict, "event %d: verdict %d: %s", i,
		              delivery.verdicts[i], harness_detail(delivery.events[i]));
	ck_assert_ptr_nonnull(strstr(harness_detail(delivery.events[8]), "SQLSTATE 22021"));
	end(&delivery);
	ck_assert_uint_eq(stored_count(delivery.h), 5);
	(void)store_audit_rows(delivery.h);
	harness_close(delivery.h);
}
END_TEST

START_TEST(test_poison_at_any_place_fails_alone)
{
	static const int places[] = {0, 1, 6, 12};
	struct delivery delivery = {.h = open_batch(NULL)};
	add_numbered(&delivery, "id", 13);
	struct sluice_event *poison = delivery.events[places[_i]];
	poison->message_id = sluice_copy(poison, "a\0b", 3);
	send_batch(&delivery);
	ck_assert_int_eq(delivery.verdicts[places[_i]], SLUICE_FAIL);
	delivery.verdicts[places[_i]] = SLUICE_PASS;
	expect_all(&delivery, SLUICE_PASS);
	end(&delivery);
	ck_assert_uint_eq(stored_count(delivery.h), 12);
	ck_assert_str_eq(store_unhealthy(delivery.h), "");
	(void)store_audit_rows(delivery.h);
	harness_close(delivery.h);
}
END_TEST

START_TEST(test_what_breaks_the_audit_trail_stores_nothing_and_blames_no_event)
{
	static const char *const triggers[] = {
		"BEGIN RETURN NULL; END",
		"BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '23514'; END",
	};
	struct delivery delivery = {.h = open_batch(NULL)};
	char sql[400];
	(void)snprintf(
		sql, sizeof(sql),
		"CREATE FUNCTION harm() RETURNS trigger LANGUAGE plpgsql AS $$ %s $$;CREATE TRIGGER t BEFORE INSERT "
		"ON webhook_audit_trail FOR EACH ROW EXECUTE FUNCTION harm()",
		triggers[_i]);
	run_by_hand(sql);
	add_numbered(&delivery, "id", 5);
	send_batch(&delivery);
	expect_all(&delivery, SLUICE_RETRY);
	ck_assert_uint_eq(stored_count(delivery.h), 0);
	run_by_hand("DROP TRIGGER t ON webhook_audit_trail");
	send_batch(&delivery);
	expect_all(&delivery, SLUICE_PASS);
	end(&delivery);
	(void)store_audit_rows(delivery.h);
	harness_close(delivery.h);
}
END_TEST

static void *send_on_a_thread(void *context)
{
	send_batch(context);
	return NULL;
}

START_TEST(test_a_deadlock_with_another_process_is_tried_again)
{
	/* A wait is looked at once, after this time: until then the other process has to be waiting, too. */
	run_by_hand("ALTER SYSTEM SET deadlock_timeout = '3s'");
	run_by_hand("SELECT pg_reload_conf()");
	WAIT_FOR(ask_by_hand("SELECT setting FROM pg_settings WHERE name = 'deadlock_timeout'") == 3000);
	struct delivery delivery = {.h = open_batch("statement_timeout=60s")};
	pthread_t thread;
	(void)add(&delivery, "a", "s", "x");
	(void)add(&delivery, "b", "s", "x");
	PGconn *pg = connect_by_hand();
	run_on(pg, "SET deadlock_timeout = '1h'");
#define BY_HAND(id)                                                                                                    \
	"INSERT INTO webhook_events (message_id, payload, digest, request_id, received_at) VALUES ('" id               \
	"', '', decode(repeat('00', 32), 'hex'), 'r', now())"
	run_on(pg, "BEGIN; " BY_HAND("b"));
	ck_assert_int_eq(pthread_create(&thread, NULL, send_on_a_thread, &delivery), 0);
	WAIT_FOR(ask_by_hand("SELECT count(*) FROM pg_locks WHERE NOT granted") == 1);
	run_on(pg, BY_HAND("a")); /* waits until the stage has been found to be in the way */
	run_on(pg, "ROLLBACK");
	PQfinish(pg);
	(void)pthread_join(thread, NULL);
	expect_all(&delivery, SLUICE_PASS);
	end(&delivery);
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM webhook_events"), 2);
	ck_assert_str_eq(store_unhealthy(delivery.h), "");
	harness_close(delivery.h);
}
END_TEST

START_TEST(test_events_that_a_trigger_drops_fail_and_their_neighbours_pass)
{
	struct delivery delivery = {.h = open_batch(NULL)};
	run_by_hand("CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.message_id = 'id-3' "
	            "THEN RETURN NULL; END IF; RETURN NEW; END $$;CREATE TRIGGER t BEFORE INSERT ON webhook_events FOR "
	            "EACH ROW EXECUTE FUNCTION drop_it()");
	add_numbered(&delivery, "id", 6);
	send_batch(&delivery);
	ck_assert_int_eq(delivery.verdicts[3], SLUICE_FAIL);
	delivery.verdicts[3] = SLUICE_PASS;
	expect_all(&delivery, SLUICE_PASS);
	end(&delivery);
	ck_assert_uint_eq(stored_count(delivery.h), 5);
	harness_close(delivery.h);
}
END_TEST

START_TEST(test_both_stages_take_turns_on_one_database)
{
	struct delivery batch = {.h = open_batch(NULL)};
	stage_name = "postgres";
	struct delivery single = {.h = open_store()};
	add_numbered(&single, "single", 4);
	send_batch(&single);
	expect_all(&single, SLUICE_PASS);
	add_numbered(&batch, "single", 4);
	add_numbered(&batch, "batch", 4);
	send_batch(&batch);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(batch.verdicts[i], i < 4 ? SLUICE_DONE : SLUICE_PASS);
	end(&single);
	add_numbered(&single, "batch", 4);
	send_batch(&single);
	expect_all(&single, SLUICE_DONE);
	end(&single);
	end(&batch);
	ck_assert_uint_eq(stored_count(batch.h), 8);
	ck_assert_uint_eq(store_audit_rows(single.h), 5);
	harness_close(single.h);
	harness_close(batch.h);
}
END_TEST

START_TEST(test_a_role_with_another_isolation_level_stores_all_the_same)
{
	run_by_hand("ALTER ROLE sluice SET default_transaction_isolation = 'serializable'");
	struct delivery delivery = {.h = open_batch(NULL)};
	add_numbered(&delivery, "id", BATCH_MAX);
	send_batch(&delivery);
	expect_all(&delivery, SLUICE_PASS);
	end(&delivery);
	harness_close(delivery.h);
}
END_TEST

static const struct {
	const char *harm, *undo, *words;
} harms[] = {
	{"ALTER TABLE webhook_events SET UNLOGGED", "ALTER TABLE webhook_events SET LOGGED",
         "webhook_events: not a logged"},
	{"ALTER TABLE webhook_audit_trail SET UNLOGGED", "ALTER TABLE webhook_audit_trail SET LOGGED",
         "webhook_audit_trail: not a logged"},
};

START_TEST(test_a_table_that_a_crash_empties_takes_no_batch)
{
	struct delivery delivery = {.h = open_batch(NULL)};
	run_by_hand(harms[_i].harm);
	add_numbered(&delivery, "id", 3);
	send_batch(&delivery);
	expect_all(&delivery, SLUICE_RETRY);
	ck_assert_ptr_nonnull(strstr(harness_detail(delivery.events[0]), harms[_i].words));
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM webhook_events"), 0);
	run_by_hand(harms[_i].undo);
	for (size_t i = 0; i < delivery.count; i++)
		ck_assert_int_eq(store_until_through(delivery.h, delivery.events[i]), SLUICE_PASS);
	harness_close(delivery.h);
}
END_TEST

START_TEST(test_a_server_that_does_not_sync_takes_no_batch)
{
	struct delivery delivery = {.h = open_batch(NULL)};
	postgres_reload(&server, "fsync=off");
	add_numbered(&delivery, "id", 3);
	send_batch(&delivery);
	postgres_reload(&server, "fsync=on");
	expect_all(&delivery, SLUICE_RETRY);
	end(&delivery);
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM webhook_events"), 0);
	harness_close(delivery.h);
}
END_TEST

static const char *const payload_types[] = {"payload_type=json", "payload_type=jsonb"};

START_TEST(test_a_batch_of_json_has_a_poison_that_fails_alone)
{
	struct delivery delivery = {.h = open_batch(payload_types[_i])};
	(void)add(&delivery, "1", "s", "{\"a\":1}");
	(void)add(&delivery, "2", "s", "{no json}");
	(void)add(&delivery, "3", "s", "{\"b\":2}");
	send_batch(&delivery);
	ck_assert_int_eq(delivery.verdicts[1], SLUICE_FAIL);
	delivery.verdicts[1] = SLUICE_PASS;
	expect_all(&delivery, SLUICE_PASS);
	end(&delivery);
	ck_assert_int_eq(ask_by_hand("SELECT (payload->>'b')::int FROM webhook_events WHERE message_id = '3'"), 2);
	ck_assert_uint_eq(stored_count(delivery.h), 2);
	harness_close(delivery.h);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("persist/postgres_batch");
	TCase *group = add_group(s, "batch");
	tcase_add_test(group, test_a_batch_is_one_transaction_with_one_audit_row);
	tcase_add_test(group, test_each_event_of_a_mixed_batch_gets_its_own_verdict);
	tcase_add_loop_test(group, test_poison_at_any_place_fails_alone, 0, 4);
	tcase_add_loop_test(group, test_what_breaks_the_audit_trail_stores_nothing_and_blames_no_event, 0, 2);
	tcase_add_test(group, test_a_deadlock_with_another_process_is_tried_again);
	tcase_add_test(group, test_events_that_a_trigger_drops_fail_and_their_neighbours_pass);
	tcase_add_test(group, test_both_stages_take_turns_on_one_database);
	tcase_add_test(group, test_a_role_with_another_isolation_level_stores_all_the_same);
	tcase_add_loop_test(group, test_a_table_that_a_crash_empties_takes_no_batch, 0, COUNT(harms));
	tcase_add_test(group, test_a_server_that_does_not_sync_takes_no_batch);
	tcase_add_loop_test(group, test_a_batch_of_json_has_a_poison_that_fails_alone, 0, COUNT(payload_types));
	return s;
}

UNIT_SUITE(test_persist_postgres_batch, suite)
