/* persist/postgres: what is stored, and how it comes out again. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/postgres_store.h"
#include "support/unit.h"

START_TEST(test_a_new_event_is_stored_as_it_is)
{
	static const char payload[] = "{\"a\":\0\xff 1}";
	struct harness *h = open_store();
	struct sluice_event *event = store_event(h, "id-1", "orders", "");
	event->payload = sluice_copy(event, payload, sizeof(payload) - 1);
	event->sequence = INT64_MIN;
	event->has_sequence = true;
	event->received_at_ns = INT64_C(1700000000123456789);
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);

	struct store_image image = stored_read(h);
	ck_assert_uint_eq(image.count, 1);
	const struct sluice_record *record = stored_find(&image, "id-1");
	ck_assert_ptr_nonnull(record);
	ck_assert_int_ge(record->id, 1);
	ck_assert(sluice_bytes_equal(record->payload, event->payload));
	ck_assert(sluice_bytes_equal(record->stream, event->stream));
	ck_assert(sluice_bytes_equal(record->event_type, event->event_type));
	ck_assert(sluice_bytes_equal(record->request_id, event->request_id));
	ck_assert(record->has_sequence);
	ck_assert_int_eq(record->sequence, INT64_MIN);
	ck_assert_int_eq(record->received_at_ns, INT64_C(1700000000123456000));
	ck_assert_mem_eq(record->digest, sluice_digest(event), SLUICE_DIGEST_SIZE);
	stored_free(&image);
	ck_assert_uint_eq(store_audit_rows(h), 1);
	harness_settle(h, event, SLUICE_PASS);
	harness_close(h);
	ck_assert_int_eq(
		ask_by_hand("SELECT count(*) FROM webhook_events WHERE received_at = '2023-11-14 22:13:20.123456+00'"),
		1);
}
END_TEST

START_TEST(test_what_an_event_lacks_stays_absent)
{
	struct harness *h = open_store();
	struct sluice_event *event = harness_event(h);
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
	harness_settle(h, event, SLUICE_PASS);
	ck_assert_int_eq(store_one(h, NULL, NULL, ""), SLUICE_PASS);

	struct store_image image = stored_read(h);
	ck_assert_uint_eq(image.count, 2);
	ck_assert_ptr_null(image.records[0].message_id.data);
	ck_assert_ptr_null(image.records[0].event_type.data);
	ck_assert_ptr_null(image.records[0].stream.data);
	ck_assert(!image.records[0].has_sequence);
	ck_assert_uint_eq(image.records[0].payload.size, 0);
	stored_free(&image);
	ck_assert_uint_eq(store_audit_rows(h), 2);
	harness_close(h);
}
END_TEST

START_TEST(test_same_id_same_content_is_a_duplicate_and_other_content_a_conflict)
{
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "id", "s", "one"), SLUICE_PASS);
	ck_assert_int_eq(store_one(h, "id", "s", "one"), SLUICE_DONE);
	struct sluice_event *other = store_event(h, "id", "s", "two");
	ck_assert_int_eq(harness_process(h, other), SLUICE_REJECT);
	ck_assert_int_eq(harness_status(other), 422);
	ck_assert_ptr_null(strstr(harness_detail(other), "two"));
	harness_settle(h, other, SLUICE_REJECT);

	struct store_image image = stored_read(h);
	ck_assert_uint_eq(image.count, 1);
	ck_assert_str_eq(stored_find(&image, "id")->payload.data, "one");
	stored_free(&image);
	ck_assert_uint_eq(store_audit_rows(h), 1);
	harness_close(h);
}
END_TEST

START_TEST(test_a_retried_event_that_is_stored_already_was_accepted)
{
	struct harness *h = open_store();
	struct sluice_event *event = store_event(h, "id", "s", "one");
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
	event->attempt = 2;
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
	harness_settle(h, event, SLUICE_PASS);

	struct sluice_event *other = store_event(h, "id", "s", "one"); /* has a request id of its own */
	other->attempt = 2;
	ck_assert_int_eq(harness_process(h, other), SLUICE_DONE);
	harness_settle(h, other, SLUICE_DONE);
	ck_assert_uint_eq(stored_count(h), 1);
	ck_assert_uint_eq(store_audit_rows(h), 1);
	harness_close(h);
}
END_TEST

START_TEST(test_a_nul_in_an_id_is_refused_and_cuts_nothing_off)
{
	struct harness *h = open_store();
	struct sluice_event *event = store_event(h, "", NULL, "x");
	event->message_id = sluice_copy(event, "a\0b", 3);
	ck_assert_int_eq(harness_process(h, event), SLUICE_FAIL);
	ck_assert_ptr_nonnull(strstr(harness_detail(event), "SQLSTATE 22021"));
	harness_settle(h, event, SLUICE_FAIL);
	ck_assert_uint_eq(stored_count(h), 0);
	ck_assert_int_eq(store_one(h, "a", NULL, "x"), SLUICE_PASS);
	harness_close(h);
}
END_TEST

#define ODD_JSON "{ \"b\":1.50,\n \"a\" : [ ] , \"b\":2}"

START_TEST(test_json_keeps_the_exact_bytes_and_jsonb_says_that_it_does_not)
{
	struct harness *h = open_with("payload_type=json", NULL);
	ck_assert_int_eq(store_one(h, "id", "s", ODD_JSON), SLUICE_PASS);
	struct store_image image = stored_read(h);
	ck_assert_str_eq(image.records[0].payload.data, ODD_JSON);
	ck_assert(!image.records[0].payload_rewritten);
	stored_free(&image);
	ck_assert_uint_eq(store_audit_rows(h), 1);
	harness_close(h);

	empty_database();
	h = open_with("payload_type=jsonb", NULL);
	ck_assert_int_eq(store_one(h, "id", "s", ODD_JSON), SLUICE_PASS);
	image = stored_read(h);
	ck_assert_str_eq(image.records[0].payload.data, "{\"a\": [], \"b\": 2}");
	ck_assert(image.records[0].payload_rewritten);
	stored_free(&image);
	struct audit_result result = store_audit(h);
	ck_assert_uint_eq(result.violation_count, 0);
	ck_assert_uint_eq(result.unproven, 1);
	audit_result_finish(&result);
	ck_assert_int_eq(store_one(h, "id", "s", ODD_JSON), SLUICE_DONE);
	harness_close(h);
}
END_TEST

/* What makes the database refuse the payload "[\"poison\\u0000\"]", and what must be said of it. */
static const struct {
	const char *option, *sql, *words;
} refusals[] = {
	{"payload_type=jsonb", "SELECT 1", "SQLSTATE 22P05"},
	{"payload_type=json", "ALTER TABLE webhook_events ADD CONSTRAINT too_long CHECK (length(payload::text) < 10)",
         "SQLSTATE 23514, constraint too_long"},
	{"payload_type=bytea",
         "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF length(NEW.payload) > "
         "10 THEN RAISE EXCEPTION 'refused: %', convert_from(NEW.payload, 'UTF8'); END IF; RETURN NEW; "
         "END $$;CREATE TRIGGER t BEFORE INSERT ON webhook_events FOR EACH ROW EXECUTE FUNCTION refuse()",
         "SQLSTATE P0001"},
	{"payload_type=bytea",
         "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF length(NEW.payload) > "
         "10 THEN RETURN NULL; END IF; RETURN NEW; END $$;CREATE TRIGGER t BEFORE INSERT ON "
         "webhook_events FOR EACH ROW EXECUTE FUNCTION refuse()",
         "dropped"},
	{"payload_type=bytea",
         "CREATE UNIQUE INDEX only_one_long ON webhook_events ((length(payload) > 10)) WHERE "
         "length(payload) > 10;INSERT INTO webhook_events (payload, digest, request_id, received_at) "
         "VALUES ('a long payload', decode(repeat('00', 32), 'hex'), 'r', now())",
         "SQLSTATE 23505, constraint only_one_long"},
	{"payload_type=bytea",
         "ALTER TABLE webhook_events ADD CONSTRAINT late UNIQUE (received_at) DEFERRABLE INITIALLY "
         "DEFERRED;CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF "
         "length(NEW.payload) > 10 THEN NEW.received_at = 'epoch'; END IF; RETURN NEW; END $$;CREATE "
         "TRIGGER t BEFORE INSERT ON webhook_events FOR EACH ROW EXECUTE FUNCTION refuse();INSERT INTO "
         "webhook_events (payload, digest, request_id, received_at) VALUES ('a long payload', "
         "decode(repeat('00', 32), 'hex'), 'r', now())",
         "SQLSTATE 23505, constraint late"},
};

START_TEST(test_a_row_that_the_database_refuses_fails_alone)
{
	struct harness *h = open_with(refusals[_i].option, NULL);
	run_by_hand(refusals[_i].sql);
	size_t before = stored_count(h);
	struct sluice_event *events[] = {store_event(h, "1", "s", "[1]"),
	                                 store_event(h, "2", "s", "[\"poison\\u0000\"]"),
	                                 store_event(h, "3", "s", "[3]")};
	enum sluice_verdict verdicts[3];
	harness_process_batch(h, events, verdicts, 3);
	ck_assert_int_eq(verdicts[0], SLUICE_PASS);
	ck_assert_int_eq(verdicts[1], SLUICE_FAIL);
	ck_assert_int_eq(verdicts[2], SLUICE_PASS);
	ck_assert_int_eq(harness_status(events[1]), 500);
	ck_assert_msg(strstr(harness_detail(events[1]), refusals[_i].words) != NULL, "said \"%s\"",
	              harness_detail(events[1]));
	ck_assert_ptr_null(strstr(harness_detail(events[1]), "poison"));
	for (int i = 0; i < 3; i++)
		harness_settle(h, events[i], verdicts[i]);
	ck_assert_uint_eq(stored_count(h), before + 2);
	ck_assert_str_eq(store_unhealthy(h), "");
	harness_close(h);
}
END_TEST

static bool stop_after_two(void *context, const struct sluice_record *record)
{
	(void)record;
	return ++*(size_t *)context < 2;
}

START_TEST(test_a_scan_goes_on_from_an_id_and_ends_early_when_told)
{
	struct harness *h = open_store();
	for (int i = 0; i < 5; i++) {
		char id[16];
		(void)snprintf(id, sizeof(id), "%d", i);
		ck_assert_int_eq(store_one(h, id, "s", "x"), SLUICE_PASS);
	}
	struct sluice_error error = {0};
	size_t count = 0;
	ck_assert(h->ops->of.persist->scan(&h->stage, 0, stop_after_two, &count, &error));
	ck_assert_uint_eq(count, 2);
	struct store_image image = stored_read(h);
	count = 0;
	ck_assert(h->ops->of.persist->scan(&h->stage, image.records[3].id, stop_after_two, &count, &error));
	ck_assert_uint_eq(count, 1);
	stored_free(&image);
	harness_close(h);
}
END_TEST

START_TEST(test_a_dead_letter_is_kept_once_whatever_is_in_it)
{
	struct harness *h = open_with("payload_type=jsonb", NULL);
	struct sluice_event *event = store_event(h, "id", "s", "{\"x\":\"\\u0000\"}");
	ck_assert_int_eq(harness_process(h, event), SLUICE_FAIL);
	struct sluice_error error = {0};
	for (int i = 0; i < 2; i++)
		ck_assert_msg(h->ops->of.persist->dead_letter(&h->stage, event, "the reason", &error), "%s",
		              error.text);
	harness_free(event);
	ck_assert_int_eq(
		ask_by_hand(
			"SELECT count(*) FROM webhook_dead_letters WHERE message_id = 'id' AND reason = 'the reason' AND payload = '{\"x\":\"\\\\u0000\"}'"),
		1);
	harness_close(h);
}
END_TEST

START_TEST(test_many_threads_with_the_same_ids_store_each_once)
{
	enum { THREADS = 8, EVENTS = 50 };
	struct harness *h = open_with("pool.max=4", NULL);
	struct hammer hammers[THREADS];
	size_t passed = 0;
	for (int i = 0; i < THREADS; i++) {
		hammers[i] = (struct hammer){.h = h, .number = i, .count = EVENTS};
		hammer_start(&hammers[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		hammer_join(&hammers[i]);
		passed += hammers[i].passed;
	}
	ck_assert_uint_eq(passed, EVENTS);
	ck_assert_uint_eq(stored_count(h), EVENTS);
	ck_assert_uint_eq(store_audit_rows(h), EVENTS);
	ck_assert_double_le(store_gauge(h, "db_pool_connections", "idle"), 4);
	harness_close(h);
}
END_TEST

START_TEST(test_the_audit_trail_only_grows)
{
	static const char *const attempts[] = {
		"UPDATE webhook_audit_trail SET written_at = now()",
		"DELETE FROM webhook_audit_trail",
		"TRUNCATE webhook_audit_trail",
		"SET session_replication_role = replica; DELETE FROM webhook_audit_trail",
		("INSERT INTO webhook_audit_trail SELECT * FROM webhook_audit_trail ON CONFLICT (writer, position) DO UPDATE SET written_at = now()"),
	};
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_PASS);
	ck_assert_int_eq(store_one(h, "2", "s", "x"), SLUICE_PASS);
	PGconn *pg = connect_by_hand();
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		PGresult *result = PQexec(pg, attempts[i]);
		ck_assert_msg(PQresultStatus(result) == PGRES_FATAL_ERROR, "went through: %s", attempts[i]);
		ck_assert_ptr_nonnull(strstr(PQresultErrorMessage(result), "append-only"));
		PQclear(result);
	}
	PQfinish(pg);
	ck_assert_uint_eq(store_audit_rows(h), 2);
	harness_close(h);
}
END_TEST

START_TEST(test_each_connection_writes_a_chain_whose_head_is_logged)
{
	free(harness_take_log());
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_PASS);
	ck_assert_int_eq(store_one(h, "2", "s", "x"), SLUICE_PASS);
	harness_close(h);
	char *log = harness_take_log();
	h = open_store();
	ck_assert_int_eq(store_one(h, "3", "s", "x"), SLUICE_PASS);
	struct audit_result result = store_audit(h);
	ck_assert_uint_eq(result.violation_count, 0);
	ck_assert_uint_eq(result.head_count, 2);
	bool logged = false;
	for (size_t i = 0; i < result.head_count; i++) {
		char line[128];
		(void)snprintf(line, sizeof(line), "audit_head writer=%s position=2 hash=%02x%02x",
		               result.heads[i].writer, result.heads[i].hash[0], result.heads[i].hash[1]);
		logged = logged || strstr(log, line) != NULL;
	}
	ck_assert_msg(logged, "log: %s", log);
	audit_result_finish(&result);
	free(log);
	harness_close(h);
}
END_TEST

START_TEST(test_read_only_sees_one_moment_and_changes_nothing)
{
	struct harness *writer = open_store();
	ck_assert_int_eq(store_one(writer, "1", "s", "x"), SLUICE_PASS);
	struct harness *reader = harness_open_read_only(SLUICE_KIND_PERSIST, stage_name,
	                                                (const char *[]){url_option, NULL});
	ck_assert_int_eq(store_one(writer, "2", "s", "x"), SLUICE_PASS);
	ck_assert_uint_eq(stored_count(reader), 1);
	ck_assert_uint_eq(store_audit_rows(reader), 1);
	ck_assert_uint_eq(stored_count(writer), 2);
	harness_close(reader);

	empty_database();
	struct sluice_stage stage = {.host = writer->stage.host,
	                             .ops = writer->stage.ops,
	                             .config = writer->stage.config,
	                             .read_only = true};
	struct sluice_error error = {0};
	ck_assert(!stage.ops->create(&stage, &error));
	ck_assert_msg(strstr(error.text, "version 0 instead of 1") != NULL, "said \"%s\"", error.text);
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), 0);
	harness_close(writer);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("persist/postgres rows");
	TCase *rows = add_group(s, "rows");
	tcase_add_test(rows, test_a_new_event_is_stored_as_it_is);
	tcase_add_test(rows, test_what_an_event_lacks_stays_absent);
	tcase_add_test(rows, test_same_id_same_content_is_a_duplicate_and_other_content_a_conflict);
	tcase_add_test(rows, test_a_retried_event_that_is_stored_already_was_accepted);
	tcase_add_test(rows, test_a_nul_in_an_id_is_refused_and_cuts_nothing_off);
	tcase_add_test(rows, test_json_keeps_the_exact_bytes_and_jsonb_says_that_it_does_not);
	tcase_add_loop_test(rows, test_a_row_that_the_database_refuses_fails_alone, 0, COUNT(refusals));
	tcase_add_test(rows, test_a_scan_goes_on_from_an_id_and_ends_early_when_told);
	tcase_add_test(rows, test_a_dead_letter_is_kept_once_whatever_is_in_it);
	tcase_add_test(rows, test_many_threads_with_the_same_ids_store_each_once);
	tcase_add_test(rows, test_the_audit_trail_only_grows);
	tcase_add_test(rows, test_each_connection_writes_a_chain_whose_head_is_logged);
	tcase_add_test(rows, test_read_only_sees_one_moment_and_changes_nothing);
	return s;
}

UNIT_SUITE(test_persist_postgres_rows, suite)
