/* The auditor, on an SQLite store that somebody has laid hands on. */
#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "support/harness.h"
#include "support/scratch.h"
#include "support/store.h"
#include "support/unit.h"

static char folder[SCRATCH_SIZE];
static char path[96];
static char path_option[112];

static struct harness *open_store(void)
{
	return harness_open(SLUICE_KIND_PERSIST, "sqlite", (const char *[]){path_option, NULL});
}

static void store_batch(struct harness *h, int first, int count)
{
	struct sluice_event *events[8];
	enum sluice_verdict verdicts[8];
	for (int i = 0; i < count; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "id-%d", first + i);
		events[i] = store_event(h, id, "s", "payload");
	}
	harness_process_batch(h, events, verdicts, (size_t)count);
	for (int i = 0; i < count; i++) {
		ck_assert_int_eq(verdicts[i], SLUICE_PASS);
		harness_settle(h, events[i], verdicts[i]);
	}
}

/* Two writers. Events 1 to 9 in rows 1 to 3 of one, three in each; events 10 and 11 in rows 1 and 2 of the other. */
static void make_store(void)
{
	scratch_folder(folder);
	(void)snprintf(path, sizeof(path), "%s/events.db", folder);
	(void)snprintf(path_option, sizeof(path_option), "path=%s", path);
	struct harness *h = open_store();
	store_batch(h, 1, 3);
	store_batch(h, 4, 3);
	store_batch(h, 7, 3);
	harness_close(h);
	h = open_store();
	store_batch(h, 10, 1);
	store_batch(h, 11, 1);
	harness_close(h);
}

static void remove_store(void)
{
	char command[96];
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static void tamper(const char *sql)
{
	sqlite3 *db;
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(
		sqlite3_exec(db,
	                     "DROP TRIGGER webhook_audit_trail_no_update;DROP TRIGGER webhook_audit_trail_no_delete",
	                     NULL, NULL, NULL),
		SQLITE_OK);
	/* The writer of three rows. */
	ck_assert_int_eq(
		sqlite3_exec(
			db,
			"CREATE TEMP TABLE long AS SELECT writer AS w FROM webhook_audit_trail GROUP BY writer HAVING count(*) = 3",
			NULL, NULL, NULL),
		SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
	ck_assert_int_gt(sqlite3_total_changes(db), 0);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

enum { FINDINGS_MAX = 16 };

struct findings {
	struct audit_finding list[FINDINGS_MAX];
	size_t count;
};

static void keep(void *context, const struct audit_finding *finding)
{
	struct findings *findings = context;
	ck_assert_uint_lt(findings->count, FINDINGS_MAX);
	findings->list[findings->count++] = *finding;
}

static bool scan(void *store, int64_t after_id, sluice_record_fn each, void *context, struct sluice_error *error)
{
	struct harness *h = store;
	return h->ops->of.persist->scan(&h->stage, after_id, each, context, error);
}

static bool audit_scan(void *store, sluice_audit_fn each, void *context, struct sluice_error *error)
{
	struct harness *h = store;
	return h->ops->of.persist->audit_scan(&h->stage, each, context, error);
}

static struct audit_result audit(const struct audit_head *known, size_t known_count, struct findings *findings)
{
	struct harness *h = harness_open_read_only(SLUICE_KIND_PERSIST, "sqlite", (const char *[]){path_option, NULL});
	struct audit_source source = {.scan = scan, .audit_scan = audit_scan, .store = h};
	struct audit_result result;
	struct sluice_error error = {0};
	ck_assert_msg(audit_verify(&source, known, known_count, keep, findings, &result, &error), "%s", error.text);
	ck_assert_uint_eq(result.violation_count, findings->count);
	harness_close(h);
	return result;
}

START_TEST(test_an_untouched_store_is_intact)
{
	struct findings findings = {0};
	struct audit_result result = audit(NULL, 0, &findings);
	ck_assert_uint_eq(findings.count, 0);
	ck_assert_uint_eq(result.events, 11);
	ck_assert_uint_eq(result.rows, 5);
	ck_assert_uint_eq(result.head_count, 2);
	ck_assert_int_eq(result.heads[0].position + result.heads[1].position, 5);
	audit_result_finish(&result);
}
END_TEST

#define SWAP(column)                                                                                                   \
	"CREATE TEMP TABLE old AS SELECT position AS p, " column " AS c FROM webhook_audit_trail, long"                \
	" WHERE writer = w; UPDATE webhook_audit_trail SET " column                                                    \
	" = (SELECT c FROM old WHERE p = 5 - position) WHERE writer = (SELECT w FROM long) AND position IN (2, 3);"

/* What was done to the store by hand, and all that must be found: violation, event, position. */
static const struct {
	const char *sql;
	struct {
		enum audit_violation violation;
		int64_t event_id, position;
	} expected[8];
	int count;
} cases[] = {
	{"UPDATE webhook_events SET payload = CAST('paYload' AS BLOB) WHERE id = 5", {{AUDIT_ALTERED_EVENT, 5, 0}}, 1},
	{"UPDATE webhook_events SET event_type = 'other' WHERE id = 5", {{AUDIT_ALTERED_EVENT, 5, 0}}, 1},
	{"UPDATE webhook_events SET stream = NULL WHERE id = 5", {{AUDIT_ALTERED_EVENT, 5, 0}}, 1},
	{"UPDATE webhook_events SET sequence = 0 WHERE id = 5", {{AUDIT_ALTERED_EVENT, 5, 0}}, 1},
	{"UPDATE webhook_events SET payload = CAST(payload || 'x' AS BLOB), digest = randomblob(32) WHERE id = 5",
         {{AUDIT_ALTERED_EVENT, 5, 0}, {AUDIT_OTHER_EVENT, 5, 2}},
         2},
	{"DELETE FROM webhook_events WHERE id = 5", {{AUDIT_MISSING_EVENT, 5, 2}}, 1},
	{"DELETE FROM webhook_events WHERE id = 11", {{AUDIT_MISSING_EVENT, 11, 2}}, 1},
	{"INSERT INTO webhook_events (message_id, event_type, stream, payload, digest, request_id, "
         "received_at) SELECT 'planted', event_type, stream, payload, digest, 'r', 0 FROM webhook_events "
         "WHERE id = 1",
         {{AUDIT_UNCOVERED, 12, 0}},
         1},
	{"DELETE FROM webhook_audit_trail WHERE position = 2 AND writer = (SELECT w FROM long)",
         {{AUDIT_GAP, 0, 3}, {AUDIT_UNCOVERED, 4, 0}, {AUDIT_UNCOVERED, 5, 0}, {AUDIT_UNCOVERED, 6, 0}},
         4},
	{"DELETE FROM webhook_audit_trail WHERE position = 1 AND writer = (SELECT w FROM long)",
         {{AUDIT_GAP, 0, 2}, {AUDIT_UNCOVERED, 1, 0}, {AUDIT_UNCOVERED, 2, 0}, {AUDIT_UNCOVERED, 3, 0}},
         4},
	{"DELETE FROM webhook_audit_trail WHERE position = 2 AND writer = (SELECT w FROM long);UPDATE webhook_audit_trail SET position = 2 WHERE position = 3 AND writer = (SELECT w FROM long)",
         {{AUDIT_BROKEN_LINK, 0, 2},
          {AUDIT_WRONG_HASH, 0, 2},
          {AUDIT_UNCOVERED, 4, 0},
          {AUDIT_UNCOVERED, 5, 0},
          {AUDIT_UNCOVERED, 6, 0}},
         5},
	{SWAP("covers"), {{AUDIT_WRONG_HASH, 0, 2}, {AUDIT_WRONG_HASH, 0, 3}}, 2},
	{SWAP("hash"), {{AUDIT_WRONG_HASH, 0, 2}, {AUDIT_BROKEN_LINK, 0, 3}, {AUDIT_WRONG_HASH, 0, 3}}, 3},
	{"UPDATE webhook_audit_trail SET hash = randomblob(32) WHERE position = 2 AND writer = (SELECT w FROM long)",
         {{AUDIT_WRONG_HASH, 0, 2}, {AUDIT_BROKEN_LINK, 0, 3}},
         2},
	{"UPDATE webhook_audit_trail SET written_at = written_at + 1 WHERE position = 3",
         {{AUDIT_WRONG_HASH, 0, 3}},
         1},
	{"UPDATE webhook_audit_trail SET previous = zeroblob(32) WHERE position = 3",
         {{AUDIT_BROKEN_LINK, 0, 3}, {AUDIT_WRONG_HASH, 0, 3}},
         2},
	{"UPDATE webhook_audit_trail SET covers = substr(covers, 1, 79) WHERE position = 3",
         {{AUDIT_WRONG_HASH, 0, 3},
          {AUDIT_BAD_COVERS, 0, 3},
          {AUDIT_UNCOVERED, 7, 0},
          {AUDIT_UNCOVERED, 8, 0},
          {AUDIT_UNCOVERED, 9, 0}},
         5},
	{"UPDATE webhook_audit_trail SET covers = CAST(covers || substr(covers, 1, 40) AS BLOB) WHERE position = 3",
         {{AUDIT_WRONG_HASH, 0, 3}, {AUDIT_COVERED_TWICE, 7, 3}},
         2},
	{"CREATE TABLE other AS SELECT * FROM webhook_events;DROP TABLE webhook_events;"
         "ALTER TABLE other RENAME TO webhook_events;UPDATE webhook_events SET message_id = 'id-4' WHERE id IN (6, 11)",
         {{AUDIT_STORED_TWICE, 6, 0}, {AUDIT_STORED_TWICE, 11, 0}},
         2},
};

START_TEST(test_what_was_done_by_hand_is_found_and_nothing_else)
{
	tamper(cases[_i].sql);
	struct findings findings = {0};
	struct audit_result result = audit(NULL, 0, &findings);
	ck_assert_int_eq((int)findings.count, cases[_i].count);
	for (int i = 0; i < cases[_i].count; i++) {
		int found = 0;
		for (size_t j = 0; j < findings.count; j++)
			found += findings.list[j].violation == cases[_i].expected[i].violation &&
			         findings.list[j].event_id == cases[_i].expected[i].event_id &&
			         findings.list[j].position == cases[_i].expected[i].position;
		ck_assert_msg(found == 1, "%s, event %lld, row %lld: found %d times",
		              audit_violation_words[cases[_i].expected[i].violation].name,
		              (long long)cases[_i].expected[i].event_id, (long long)cases[_i].expected[i].position,
		              found);
	}
	audit_result_finish(&result);
}
END_TEST

/* The head of the chain with three rows, as the log would have it. */
static struct audit_head long_head(void)
{
	struct findings findings = {0};
	struct audit_result result = audit(NULL, 0, &findings);
	struct audit_head head = result.heads[result.heads[0].position == 3 ? 0 : 1];
	ck_assert_int_eq(head.position, 3);
	audit_result_finish(&result);
	return head;
}

static const char cut_tail[] =
	"DELETE FROM webhook_audit_trail WHERE position = 3;DELETE FROM webhook_events WHERE id BETWEEN 7 AND 9";

START_TEST(test_a_cut_tail_is_found_only_by_the_head_that_was_logged)
{
	struct audit_head head = long_head();
	struct findings findings = {0};
	struct audit_result result = audit(&head, 1, &findings);
	ck_assert_uint_eq(findings.count, 0);
	audit_result_finish(&result);

	tamper(cut_tail);
	result = audit(NULL, 0, &findings);
	ck_assert_uint_eq(findings.count, 0);
	audit_result_finish(&result);
	result = audit(&head, 1, &findings);
	ck_assert_uint_eq(findings.count, 1);
	ck_assert_int_eq(findings.list[0].violation, AUDIT_CUT_TAIL);
	ck_assert_int_eq(findings.list[0].position, 3);
	audit_result_finish(&result);
}
END_TEST

START_TEST(test_a_chain_rewritten_as_a_whole_is_found_by_its_head)
{
	struct audit_head head = long_head();
	head.hash[31] ^= 1;
	struct findings findings = {0};
	struct audit_result result = audit(&head, 1, &findings);
	ck_assert_uint_eq(findings.count, 1);
	ck_assert_int_eq(findings.list[0].violation, AUDIT_CUT_TAIL);
	audit_result_finish(&result);
}
END_TEST

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const struct {
	const char *text;
	bool good;
} head_texts[] = {
	{"w:1:" HASH, true},
	{"0123456789abcdef0123456789abcdef:9223372036854775807:" HASH, true},
	{"", false},
	{"w", false},
	{"w:1", false},
	{"w:1:", false},
	{":1:" HASH, false},
	{"w:0:" HASH, false},
	{"w:-1:" HASH, false},
	{"w:x:" HASH, false},
	{"w:1:" HASH "0", false},
	{"w:1:0" HASH, false},
	{"w:1:g0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", false},
	{"w:1: 0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", false},
	{"w:1:00112233", false},
};

START_TEST(test_a_head_is_read_as_logged_or_refused)
{
	struct audit_head head;
	ck_assert_int_eq(audit_head_from_text(head_texts[_i].text, &head), head_texts[_i].good);
	if (head_texts[_i].good) {
		char hash[DIGEST_HEX_SIZE];
		digest_hex(head.hash, hash);
		ck_assert_str_eq(hash, HASH);
	}
}
END_TEST

/* The command itself, on the real binary. */
static int run_command(const char *arguments, char *output, size_t room)
{
	char command[512];
	(void)snprintf(command, sizeof(command), TEST_BUILD_DIR "/sluice audit %s 2>&1", arguments);
	FILE *pipe = popen(command, "re");
	ck_assert_ptr_nonnull(pipe);
	size_t size = fread(output, 1, room - 1, pipe);
	output[size] = '\0';
	int status = pclose(pipe);
	return WEXITSTATUS(status);
}

static void write_pipeline(char file[128])
{
	(void)snprintf(file, 128, "%s/pipeline.yaml", folder);
	FILE *yaml = fopen(file, "we");
	ck_assert_ptr_nonnull(yaml);
	(void)fprintf(
		yaml,
		"pipeline: audited\nstages:\n  - auth: none\n  - parse: json\n  - persist: sqlite\n    path: %s\n",
		path);
	(void)fclose(yaml);
}

START_TEST(test_the_command_says_yes_no_or_cannot)
{
	char file[128], arguments[256], output[4096];
	write_pipeline(file);
	(void)snprintf(arguments, sizeof(arguments), "verify %s", file);
	ck_assert_msg(run_command(arguments, output, sizeof(output)) == 0, "%s", output);
	ck_assert_ptr_nonnull(strstr(output, "intact"));
	tamper("UPDATE webhook_events SET payload = CAST('secret' AS BLOB) WHERE id = 5");
	ck_assert_msg(run_command(arguments, output, sizeof(output)) == 1, "%s", output);
	ck_assert_ptr_nonnull(strstr(output, "event 5: its content does not fit its digest"));
	ck_assert_ptr_null(strstr(output, "secret"));
	(void)snprintf(arguments, sizeof(arguments), "verify %s --json", file);
	ck_assert_int_eq(run_command(arguments, output, sizeof(output)), 1);
	ck_assert_ptr_nonnull(strstr(output, "{\"violation\":\"altered_event\",\"event\":5}"));
	(void)snprintf(arguments, sizeof(arguments), "verify %s --set persist.path=%s/none.db", file, folder);
	ck_assert_int_eq(run_command(arguments, output, sizeof(output)), 2);
	ck_assert_ptr_nonnull(strstr(output, "No such file"));
	ck_assert_int_eq(run_command("", output, sizeof(output)), 2);
	ck_assert_int_eq(run_command("check x", output, sizeof(output)), 2);
	(void)snprintf(arguments, sizeof(arguments), "verify %s --heads nonsense", file);
	ck_assert_int_eq(run_command(arguments, output, sizeof(output)), 2);
	ck_assert_ptr_nonnull(strstr(output, "WRITER:POSITION:HASH"));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("audit");
	TCase *store = tcase_create("store");
	tcase_add_checked_fixture(store, make_store, remove_store);
	tcase_add_test(store, test_an_untouched_store_is_intact);
	tcase_add_loop_test(store, test_what_was_done_by_hand_is_found_and_nothing_else, 0,
	                    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(store, test_a_cut_tail_is_found_only_by_the_head_that_was_logged);
	tcase_add_test(store, test_a_chain_rewritten_as_a_whole_is_found_by_its_head);
	tcase_add_test(store, test_the_command_says_yes_no_or_cannot);
	tcase_set_timeout(store, 30);
	suite_add_tcase(s, store);
	TCase *texts = tcase_create("texts");
	tcase_add_loop_test(texts, test_a_head_is_read_as_logged_or_refused, 0,
	                    sizeof(head_texts) / sizeof(head_texts[0]));
	suite_add_tcase(s, texts);
	return s;
}

UNIT_SUITE(test_audit, suite)
