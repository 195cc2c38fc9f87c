/* persist/postgres, and whatever stores as it does: what triggers, rules and policies do to a row after it was inserted. */
#include <stdio.h>
#include <string.h>

#include "support/postgres_store.h"
#include "support/unit.h"

#define HARM(body, trigger)                                                                                            \
	"CREATE FUNCTION harm() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " body " END $$; CREATE " trigger         \
	" EXECUTE FUNCTION harm()"
#define IF_POISON(action) "IF NEW.message_id = 'poison' THEN " action "; END IF; "
#define DELETE_IT "DELETE FROM webhook_events WHERE id = NEW.id"
#define AFTER_ROW "TRIGGER t AFTER INSERT ON webhook_events FOR EACH ROW"
#define AT_COMMIT "CONSTRAINT TRIGGER t AFTER INSERT ON webhook_events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
#define BEFORE_ROW "TRIGGER t BEFORE INSERT ON webhook_events FOR EACH ROW"

static const char *const poisons[] = {
	HARM(IF_POISON(DELETE_IT) "RETURN NULL;", AFTER_ROW),
	HARM(IF_POISON(DELETE_IT) "RETURN NULL;", AT_COMMIT),
	HARM(IF_POISON("UPDATE webhook_events SET payload = '' WHERE id = NEW.id") "RETURN NULL;", AFTER_ROW),
	HARM(IF_POISON("UPDATE webhook_events SET stream = NULL WHERE id = NEW.id") "RETURN NULL;", AT_COMMIT),
	HARM(IF_POISON("NEW.payload = 'other'") "RETURN NEW;", BEFORE_ROW),
	HARM(IF_POISON("NEW.sequence = 7") "RETURN NEW;", BEFORE_ROW),
	HARM("DELETE FROM webhook_events WHERE message_id = 'poison'; RETURN NULL;",
             "TRIGGER t AFTER INSERT ON webhook_events FOR EACH STATEMENT"),
};

static void store_three(struct harness *h, struct sluice_event *events[3], enum sluice_verdict verdicts[3])
{
	static const char *const ids[] = {"before", "poison", "after"};
	for (int i = 0; i < 3; i++)
		events[i] = store_event(h, ids[i], "s", "payload");
	harness_process_batch(h, events, verdicts, 3);
}

static void settle_three(struct harness *h, struct sluice_event *events[3], const enum sluice_verdict verdicts[3])
{
	for (int i = 0; i < 3; i++)
		harness_settle(h, events[i], verdicts[i]);
}

START_TEST(test_a_row_that_a_trigger_deletes_or_alters_fails_alone)
{
	struct harness *h = open_store();
	struct sluice_event *events[3];
	enum sluice_verdict verdicts[3];
	ck_assert_int_eq(store_one(h, "first", "s", "x"), SLUICE_PASS);
	run_by_hand(poisons[_i]);
	store_three(h, events, verdicts);
	ck_assert_int_eq(verdicts[0], SLUICE_PASS);
	ck_assert_int_eq(verdicts[1], SLUICE_FAIL);
	ck_assert_int_eq(verdicts[2], SLUICE_PASS);
	ck_assert_msg(strstr(harness_detail(events[1]), "a trigger deletes or alters its row") != NULL, "said \"%s\"",
	              harness_detail(events[1]));
	settle_three(h, events, verdicts);
	ck_assert_uint_eq(stored_count(h), 3);
	ck_assert_str_eq(store_unhealthy(h), "");
	(void)store_audit_rows(h);
	run_by_hand("DROP TRIGGER t ON webhook_events");
	ck_assert_int_eq(store_one(h, "poison", "s", "payload"), SLUICE_PASS);
	ck_assert_int_eq(store_one(h, "last", "s", "payload"), SLUICE_PASS);
	harness_close(h);
}
END_TEST

/* Of no event's making: it is told, and tried again. */
static const char *const thefts[] = {
	HARM("DELETE FROM webhook_events; RETURN NULL;",
             "TRIGGER t AFTER INSERT ON webhook_audit_trail FOR EACH STATEMENT"),
	"CREATE RULE t AS ON INSERT TO webhook_events DO ALSO DELETE FROM webhook_events",
	"CREATE RULE t AS ON INSERT TO webhook_audit_trail DO ALSO DELETE FROM webhook_events",
};

START_TEST(test_rows_that_something_else_takes_away_are_not_acknowledged)
{
	struct harness *h = open_store();
	struct sluice_event *events[3];
	enum sluice_verdict verdicts[3];
	run_by_hand(thefts[_i]);
	store_three(h, events, verdicts);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(verdicts[i], SLUICE_RETRY);
	settle_three(h, events, verdicts);
	ck_assert_uint_eq(stored_count(h), 0);
	harness_close(h);
}
END_TEST

START_TEST(test_a_trigger_that_leaves_the_rows_alone_costs_no_event)
{
	struct harness *h = open_store();
	struct sluice_event *events[3];
	enum sluice_verdict verdicts[3];
	run_by_hand("CREATE TABLE copies (id bigint)");
	run_by_hand(HARM("INSERT INTO copies VALUES (NEW.id); RETURN NULL;", AT_COMMIT));
	for (int round = 0; round < 2; round++) {
		store_three(h, events, verdicts);
		for (int i = 0; i < 3; i++)
			ck_assert_int_eq(verdicts[i], round == 0 ? SLUICE_PASS : SLUICE_DONE);
		settle_three(h, events, verdicts);
	}
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM copies"), 3);
	ck_assert_str_eq(store_unhealthy(h), "");
	(void)store_audit_rows(h);
	harness_close(h);
}
END_TEST

static const char *const letter_harms[] = {
	HARM("RETURN NULL;", "TRIGGER t BEFORE INSERT ON webhook_dead_letters FOR EACH ROW"),
	HARM("DELETE FROM webhook_dead_letters; RETURN NULL;",
             "TRIGGER t AFTER INSERT ON webhook_dead_letters FOR EACH STATEMENT"),
	HARM("UPDATE webhook_dead_letters SET payload = ''; RETURN NULL;",
             "CONSTRAINT TRIGGER t AFTER INSERT ON webhook_dead_letters DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"),
};

START_TEST(test_a_dead_letter_that_a_trigger_takes_away_is_not_called_stored)
{
	struct harness *h = open_store();
	const struct sluice_persist_ops *ops = h->ops->of.persist;
	struct sluice_error error = {0};
	struct sluice_event *event = store_event(h, "1", "s", "x"), *nameless = store_event(h, NULL, "s", "x");
	run_by_hand(letter_harms[_i]);
	ck_assert(!ops->dead_letter(&h->stage, event, "why", &error));
	ck_assert_msg(strstr(error.text, "webhook_dead_letters") != NULL, "said \"%s\"", error.text);
	ck_assert(!ops->dead_letter(&h->stage, nameless, "why", NULL));
	run_by_hand("DROP TRIGGER t ON webhook_dead_letters");
	for (int i = 0; i < 2; i++)
		ck_assert(ops->dead_letter(&h->stage, event, "why", NULL));
	ck_assert(ops->dead_letter(&h->stage, nameless, "why", NULL));
	harness_settle(h, event, SLUICE_PASS);
	harness_settle(h, nameless, SLUICE_PASS);
	harness_close(h);
}
END_TEST

#define PARTITIONED(table, key, rest)                                                                                  \
	"BEGIN; ALTER TABLE " table " RENAME TO plain; CREATE TABLE " table " (LIKE plain INCLUDING DEFAULTS "         \
	"INCLUDING IDENTITY, UNIQUE (" key ")) PARTITION BY LIST (" key "); " rest "; COMMIT"
#define EVENTS_IN(kind, rest)                                                                                          \
	PARTITIONED("webhook_events", "message_id",                                                                    \
	            "CREATE " kind                                                                                     \
	            " TABLE one PARTITION OF webhook_events FOR VALUES IN ('poison'); CREATE TABLE others PARTITION "  \
	            "OF webhook_events DEFAULT" rest)

/* What the partition that was made last, and the table itself, do not show. */
static const struct {
	const char *table, *sql;
} partitioned[] = {
	{"webhook_events", EVENTS_IN("UNLOGGED", "")},
	{"webhook_events",
         EVENTS_IN("", "; " HARM("DELETE FROM webhook_events WHERE message_id = 'poison'; RETURN NULL;",
                                 "TRIGGER t AFTER INSERT ON webhook_events FOR EACH STATEMENT"))},
	{"webhook_audit_trail",
         PARTITIONED("webhook_audit_trail", "writer", "CREATE TABLE one PARTITION OF webhook_audit_trail DEFAULT")},
	{"webhook_dead_letters", PARTITIONED("webhook_dead_letters", "message_id",
                                             "ALTER TABLE webhook_dead_letters ADD UNIQUE (message_id, digest); CREATE "
                                             "TABLE one PARTITION OF webhook_dead_letters DEFAULT")},
};

START_TEST(test_a_partitioned_table_is_refused_at_the_start_and_takes_no_event_while_the_store_runs)
{
	char words[128], undo[128];
	const char *table = partitioned[_i].table;
	bool is_of_letters = strcmp(table, "webhook_dead_letters") == 0;
	struct sluice_error error = {0};
	struct harness *h = open_store();
	struct sluice_event *events[3], *dead = store_event(h, "dead", "s", "x");
	enum sluice_verdict verdicts[3];
	(void)snprintf(words, sizeof(words), "partitioned tables are not supported: %s; ", table);
	(void)snprintf(undo, sizeof(undo), "DROP TABLE %s; ALTER TABLE plain RENAME TO %s", table, table);
	ck_assert_int_eq(store_one(h, "first", "s", "x"), SLUICE_PASS);
	run_by_hand(partitioned[_i].sql);
	store_three(h, events, verdicts);
	if (is_of_letters) {
		ck_assert(!h->ops->of.persist->dead_letter(&h->stage, dead, "why", &error));
		ck_assert_msg(strstr(error.text, words), "said \"%s\"", error.text);
	} else {
		for (int i = 0; i < 3; i++)
			ck_assert_int_eq(verdicts[i], SLUICE_RETRY);
		ck_assert_msg(strstr(harness_detail(events[0]), words), "said \"%s\"", harness_detail(events[0]));
	}
	WAIT_FOR(strstr(store_unhealthy(h), words));
	expect_refused(NULL, words);
	expect_refused("durability=relaxed", words);
	run_by_hand(undo);
	for (int i = 0; i < 3; i++)
		if (verdicts[i] == SLUICE_RETRY)
			ck_assert_int_eq(store_until_through(h, events[i]), SLUICE_PASS);
		else
			harness_settle(h, events[i], verdicts[i]);
	WAIT_FOR(h->ops->of.persist->dead_letter(&h->stage, dead, "why", NULL));
	ck_assert_uint_eq(stored_count(h), 4);
	(void)store_audit_rows(h);
	harness_settle(h, dead, SLUICE_PASS);
	harness_close(h);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("persist/postgres: triggers");
	TCase *triggers = add_group(s, "triggers");
	tcase_add_loop_test(triggers, test_a_row_that_a_trigger_deletes_or_alters_fails_alone, 0, COUNT(poisons));
	tcase_add_loop_test(triggers, test_rows_that_something_else_takes_away_are_not_acknowledged, 0, COUNT(thefts));
	tcase_add_test(triggers, test_a_trigger_that_leaves_the_rows_alone_costs_no_event);
	tcase_add_loop_test(triggers, test_a_dead_letter_that_a_trigger_takes_away_is_not_called_stored, 0,
	                    COUNT(letter_harms));
	tcase_add_loop_test(triggers,
	                    test_a_partitioned_table_is_refused_at_the_start_and_takes_no_event_while_the_store_runs, 0,
	                    COUNT(partitioned));
	return s;
}

POSTGRES_SUITE(test_persist_postgres_triggers, suite)
