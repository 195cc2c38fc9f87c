/* persist/postgres: the tables it makes, finds and refuses, and the rights it needs. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/postgres_store.h"
#include "support/unit.h"

struct opener {
	pthread_t thread;
	struct harness *h;
	struct sluice_error error;
};

static void *open_at_once(void *context)
{
	struct opener *opener = context;
	opener->h = harness_try(SLUICE_KIND_PERSIST, stage_name, (const char *[]){url_option, NULL}, &opener->error);
	return NULL;
}

START_TEST(test_many_may_start_on_an_empty_database_at_once)
{
	enum { OPENERS = 6 };
	struct opener openers[OPENERS] = {0};
	for (int i = 0; i < OPENERS; i++)
		ck_assert_int_eq(pthread_create(&openers[i].thread, NULL, open_at_once, &openers[i]), 0);
	for (int i = 0; i < OPENERS; i++)
		(void)pthread_join(openers[i].thread, NULL);
	for (int i = 0; i < OPENERS; i++) {
		ck_assert_msg(openers[i].h != NULL, "%s", openers[i].error.text);
		harness_close(openers[i].h);
	}
}
END_TEST

START_TEST(test_another_schema_is_refused)
{
	harness_close(open_store());
	expect_refused("payload_type=jsonb", "webhook_events.payload is bytea, not jsonb");
	run_by_hand("UPDATE webhook_schema SET version = 9");
	expect_refused(NULL, "version 9 and this Sluice knows up to 1");
	empty_database();
	run_by_hand("CREATE TABLE webhook_events (x int)");
	expect_refused(NULL, "already exists");
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), 1);
}
END_TEST

START_TEST(test_tables_that_are_gone_are_named_and_the_way_out_holds)
{
	struct sluice_error error = {0};
	harness_close(open_store());
	run_by_hand("ALTER TABLE webhook_events RENAME payload TO body");
	expect_refused(NULL, "url: webhook_events has no column payload: restore the table from a backup");
	run_by_hand("DROP TABLE webhook_dead_letters");
	expect_refused(NULL, "these do not exist: webhook_dead_letters; restore them from a backup or");
	run_by_hand("DROP TABLE webhook_events, webhook_audit_trail");
	expect_refused(NULL, "these do not exist: webhook_events, webhook_audit_trail, webhook_dead_letters;");
	ck_assert_ptr_null(
		harness_try_read_only(SLUICE_KIND_PERSIST, stage_name, (const char *[]){url_option, NULL}, &error));
	ck_assert_msg(strstr(error.text, "do not exist: webhook_events,") != NULL, "said \"%s\"", error.text);
	run_by_hand("DROP TABLE webhook_schema");
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_PASS);
	harness_close(h);
}
END_TEST

#define COMPRESSION_IS(letter)                                                                                         \
	"SELECT count(*) FROM pg_attribute WHERE attrelid = 'webhook_events'::regclass AND attname = 'payload' AND "   \
	"attcompression = '" letter "'"

START_TEST(test_compression_of_payloads_is_set_and_left_alone)
{
	harness_close(open_store());
	ck_assert_int_eq(ask_by_hand(COMPRESSION_IS("")), 1);
	harness_close(open_with("payload_compression=lz4", NULL));
	ck_assert_int_eq(ask_by_hand(COMPRESSION_IS("l")), 1);
	harness_close(open_store());
	ck_assert_int_eq(ask_by_hand(COMPRESSION_IS("l")), 1);
	PGconn *writer = connect_by_hand();
	run_on(writer, "BEGIN; LOCK TABLE webhook_events IN ROW EXCLUSIVE MODE");
	harness_close(open_with("payload_compression=lz4", NULL)); /* nothing to change, nothing to wait for */
	expect_refused("payload_compression=pglz",
	               "payload_compression: PostgreSQL: canceling statement due to lock timeout");
	PQfinish(writer);
	harness_close(open_with("payload_compression=pglz", NULL));
	ck_assert_int_eq(ask_by_hand(COMPRESSION_IS("p")), 1);
}
END_TEST

/* A role that owns nothing; its url is in `option`. */
static void make_role(char option[300])
{
	run_by_hand("CREATE ROLE app LOGIN PASSWORD 'app'");
	(void)snprintf(option, 300, "url=postgresql://app:app@127.0.0.1:%d/sluice", postgres_port(&server));
}

static void drop_role(void)
{
	run_by_hand("DROP OWNED BY app CASCADE; DROP ROLE app");
}

/* Opens the store, running each GRANT that a refusal asks for. The sentences, joined, are in `said`. */
static struct harness *open_granting(const char *const *options, bool read_only, char said[2000])
{
	static const char lead[] = "url: the database role lacks rights; ",
			  run[] = "have an owner or a superuser run: ";
	said[0] = '\0';
	for (int i = 0; i < 5; i++) {
		struct sluice_error error = {0};
		struct harness *h = (read_only ? harness_try_read_only : harness_try)(SLUICE_KIND_PERSIST, stage_name,
		                                                                      options, &error);
		if (h)
			return h;
		const char *grant = strstr(error.text, run);
		ck_assert_msg(strncmp(error.text, lead, strlen(lead)) == 0 && grant, "said \"%s\"", error.text);
		ck_assert_int_eq(strstr(error.text, "set `schema:`") != NULL,
		                 strstr(grant, "CREATE ON SCHEMA") != NULL);
		grant += strlen(run);
		(void)snprintf(said + strlen(said), 2000 - strlen(said), "%s\n", grant);
		run_by_hand(grant);
	}
	ck_abort_msg("no end of grants:\n%s", said);
}

static const struct {
	bool made; /* the tables exist */
	bool read_only;
	const char *option, *said;
} grants[] = {
	{false, false, NULL, "GRANT USAGE, CREATE ON SCHEMA public TO app\n"},
	{false, false, "schema=own", "GRANT CREATE ON DATABASE sluice TO app\n"},
	{true, false, NULL,
         "GRANT USAGE ON SCHEMA public TO app\n"
         "GRANT SELECT, INSERT ON public.webhook_events TO app; GRANT SELECT, INSERT ON public.webhook_dead_letters TO app; "
         "GRANT SELECT, INSERT ON public.webhook_audit_trail TO app; GRANT SELECT ON public.webhook_schema TO app\n"},
	{true, true, "schema=public",
         "GRANT USAGE ON SCHEMA public TO app\n"
         "GRANT SELECT ON public.webhook_schema TO app; GRANT SELECT ON public.webhook_events TO app; "
         "GRANT SELECT ON public.webhook_audit_trail TO app\n"},
};

START_TEST(test_rights_that_are_missing_are_said_as_grants_that_suffice)
{
	char option[300], said[2000];
	make_role(option);
	if (grants[_i].made)
		harness_close(open_store());
	struct harness *h = open_granting((const char *[]){option, grants[_i].option, NULL}, grants[_i].read_only,
	                                  said);
	ck_assert_str_eq(said, grants[_i].said);
	if (!grants[_i].read_only)
		ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_PASS);
	ck_assert_uint_eq(stored_count(h), grants[_i].read_only ? 0 : 1);
	harness_close(h);
	drop_role();
}
END_TEST

START_TEST(test_what_is_taken_away_from_a_running_store_is_said)
{
	static const struct {
		const char *take, *words, *give;
	} cases[] = {
		{"REVOKE INSERT ON webhook_audit_trail FROM app",
	         "PostgreSQL could not commit: url: the database role lacks rights; have an owner or a superuser run: "
	         "GRANT INSERT ON public.webhook_audit_trail TO app",
	         "GRANT INSERT ON webhook_audit_trail TO app"},
		{"ALTER TABLE webhook_events RENAME TO gone", "these do not exist: webhook_events;",
	         "ALTER TABLE gone RENAME TO webhook_events"},
	};
	char option[300], said[2000];
	make_role(option);
	harness_close(open_store());
	struct harness *h = open_granting((const char *[]){option, NULL}, false, said);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_event *event = store_event(h, i ? "2" : "1", "s", "x");
		run_by_hand(cases[i].take);
		ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
		ck_assert_msg(strstr(harness_detail(event), cases[i].words) != NULL, "said \"%s\"",
		              harness_detail(event));
		run_by_hand(cases[i].give);
		ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
		harness_settle(h, event, SLUICE_PASS);
	}
	harness_close(h);
	drop_role();
}
END_TEST

static const struct {
	const char *sql, *words;
} strange_versions[] = {
	{"CREATE TABLE webhook_schema AS SELECT -1 AS version", "expected 1 to 1, got -1"},
	{"CREATE TABLE webhook_schema AS SELECT 0 AS version", "expected 1 to 1, got 0"},
	{"CREATE TABLE webhook_schema AS SELECT (-2147483648)::int AS version", "got -2147483648"},
	{"CREATE TABLE webhook_schema AS SELECT 4294967297 AS version",
         "version 4294967297 and this Sluice knows up to"},
	{"CREATE TABLE webhook_schema AS SELECT 999999999999 AS version", "no version of Sluice's"},
	{"CREATE TABLE webhook_schema AS SELECT 1.5 AS version", "no version of Sluice's"},
	{"CREATE TABLE webhook_schema AS SELECT 'NaN'::numeric AS version", "no version of Sluice's"},
	{"CREATE TABLE webhook_schema AS SELECT NULL::int AS version", "no version of Sluice's"},
	{"CREATE TABLE webhook_schema AS SELECT E'\\e[31m%s'::text AS version", "no version of Sluice's"},
	{"CREATE TABLE webhook_schema AS SELECT ARRAY[1] AS version", "no version of Sluice's"},
	{"CREATE TABLE webhook_schema AS SELECT repeat('1', 5000) AS version", "no version of Sluice's"},
	{"CREATE TABLE webhook_schema (version int)", "has 0 rows instead of one"},
	{"CREATE TABLE webhook_schema AS SELECT 1 AS version FROM generate_series(1, 2)", "has 2 rows instead of one"},
	{"CREATE TABLE webhook_schema (x int)", "is not the table that Sluice makes"},
	{"CREATE VIEW webhook_schema AS SELECT 1 AS version", "is not the table that Sluice makes"},
	{"CREATE SEQUENCE webhook_schema", "is not the table that Sluice makes"},
};

START_TEST(test_a_version_that_no_sluice_wrote_is_refused)
{
	struct sluice_error error = {0};
	run_by_hand(strange_versions[_i].sql);
	expect_refused(NULL, strange_versions[_i].words);
	ck_assert_ptr_null(
		harness_try_read_only(SLUICE_KIND_PERSIST, stage_name, (const char *[]){url_option, NULL}, &error));
	ck_assert_msg(strstr(error.text, strange_versions[_i].words) != NULL, "said \"%s\"", error.text);
	ck_assert_ptr_null(strchr(error.text, '\33'));
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM pg_class WHERE relname LIKE 'webhook_%'"), 1);
}
END_TEST

static bool count_one(void *context, const struct sluice_record *record)
{
	(void)record;
	++*(size_t *)context;
	return true;
}

/* What a column can hold that no Sluice has written. */
static const char *const strange_values[] = {
	"UPDATE webhook_events SET received_at = 'infinity'",
	"UPDATE webhook_events SET received_at = '-infinity'",
	"UPDATE webhook_events SET received_at = '290000-01-01'",
	"ALTER TABLE webhook_events DROP CONSTRAINT webhook_events_digest_check; UPDATE webhook_events SET digest = 'short'",
	"ALTER TABLE webhook_events ALTER id TYPE int",
	"ALTER TABLE webhook_events ALTER id TYPE smallint",
	"ALTER TABLE webhook_events ALTER sequence TYPE numeric; UPDATE webhook_events SET sequence = 1e300",
	("ALTER TABLE webhook_audit_trail DISABLE TRIGGER ALL; UPDATE webhook_audit_trail SET written_at = 'infinity', "
         "position = -9223372036854775808"),
};

START_TEST(test_an_id_that_is_no_integer_ends_the_scan_with_a_sentence)
{
	struct sluice_error error = {0};
	size_t count = 0;
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "id", "s", "x"), SLUICE_PASS);
	run_by_hand(
		"ALTER TABLE webhook_events ALTER id DROP IDENTITY; ALTER TABLE webhook_events ALTER id TYPE numeric");
	ck_assert(!h->ops->of.persist->scan(&h->stage, 0, count_one, &count, &error));
	ck_assert_msg(strstr(error.text, "webhook_events.id") != NULL, "said \"%s\"", error.text);
	harness_close(h);
}
END_TEST

START_TEST(test_values_that_no_sluice_wrote_are_read_without_harm)
{
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "id", "s", "x"), SLUICE_PASS);
	run_by_hand(strange_values[_i]);
	ck_assert_uint_eq(stored_count(h), 1);
	struct audit_result result = store_audit(h);
	audit_result_finish(&result);
	harness_close(h);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("persist/postgres schema");
	TCase *schema = add_group(s, "schema");
	tcase_add_test(schema, test_many_may_start_on_an_empty_database_at_once);
	tcase_add_test(schema, test_another_schema_is_refused);
	tcase_add_test(schema, test_compression_of_payloads_is_set_and_left_alone);
	tcase_add_test(schema, test_tables_that_are_gone_are_named_and_the_way_out_holds);
	tcase_add_loop_test(schema, test_rights_that_are_missing_are_said_as_grants_that_suffice, 0, COUNT(grants));
	tcase_add_test(schema, test_what_is_taken_away_from_a_running_store_is_said);
	tcase_add_loop_test(schema, test_a_version_that_no_sluice_wrote_is_refused, 0, COUNT(strange_versions));
	tcase_add_test(schema, test_an_id_that_is_no_integer_ends_the_scan_with_a_sentence);
	tcase_add_loop_test(schema, test_values_that_no_sluice_wrote_are_read_without_harm, 0, COUNT(strange_values));
	return s;
}

UNIT_SUITE(test_persist_postgres_schema, suite)
