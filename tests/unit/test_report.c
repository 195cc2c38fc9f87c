/* The report of a run: what it says, what it leaves out, and that nothing in the documents can become markup. */
#include <check.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "lab/report/html.h"
#include "lab/report/report.h"
#include "lab/run/run.h"
#include "support/scratch.h"
#include "support/unit.h"

#define EVIL "</script><script>alert(1)</script><img src=x onerror=\\\"alert(2)\\\">\\u2028@SCRIPT@"

static const char run_json[] =
	"{'format': 1, 'command': 'compare', 'about': 'a slow database', 'sluice': '0.1.0', "
	"'started_at': '2026-11-25T22:00:00.000000Z', 'seconds': 131.4, 'host': {'cpus': 2, 'cpu': 'a "
	"processor', 'memory_bytes': 8589934592, 'kernel': 'Linux 6'}, 'input': {'file': 'input.jsonl', "
	"'sha256': 'cafe01', 'lines': 60000}, 'schedule': {'arrivals': 'poisson', 'rate': 500.0, "
	"'connections': 50, 'requests': 60000, 'block_seconds': 3.0}, 'sign': 'github', 'arms': [  "
	"{'label': 'none', 'pipeline': 'p.yaml', 'sha256': 'cafe02', 'optimizations': [], 'stages': [   "
	"{'kind': 'persist', 'name': 'postgres', 'version': '1.2.3', 'sha256': 'cafe03'}]},  {'label': "
	"'batched', 'pipeline': 'p.yaml', 'optimizations': ['x', 'y']}], 'generator': {'valid': false, "
	"'reasons': ['it was late'], 'lag_p50_ms': 0.1, 'lag_p95_ms': 30, 'lag_p99_ms': 40,  "
	"'cpu_share': 0.5}, 'results': {'requests': 60000, 'expected_good': 60000, 'accepted': 59997, "
	"'errors': 3, 'retried': 0,  'by_kind': {'new': {'requests': 60000, 'right': 59997}},  "
	"'corrected': {'p50_ms': 9, 'p95_ms': 231.4, 'p99_ms': 300, 'max_ms': 2000},  'raw': {'p50_ms': "
	"8, 'p95_ms': 230, 'p99_ms': 299, 'max_ms': 1999}}}";

static const char compare_json[] =
	"{'design': 'paired', 'pairs': 20, 'alpha': 0.05, 'margin': 0.05, 'verdict': {'outcome': "
	"'better', 'sentence': 'It helps: P95 falls.'}, 'arms': [{'label': 'none'}, {'label': "
	"'batched'}], 'notes': ['none does not keep up.'], 'looks': [{'pairs': 20, 'p': 0.001, "
	"'threshold': 0.0042, 'stopped': true}], 'metrics': [{'name': 'p95', 'title': 'P95', 'unit': "
	"'ms', 'a': 231.4, 'b': 62.14, 'change': -0.7315,  'low': -0.75, 'high': -0.7}, {'name': 'wal', "
	"'title': 'WAL', 'unit': 'B', 'a': 1, 'b': null, 'change': null,  'low': null, 'high': null}], "
	"'violations': [{'arm': 0, 'lost': 0, 'doubled': 0, 'altered': 0, 'reordered': 0},  {'arm': 1, "
	"'lost': 7, 'doubled': 0, 'altered': 0, 'reordered': 0}]}";

static const char gate_json[] =
	"{'file': 'gates/g.yaml', 'outcome': 'FLAG', 'sentence': 'FLAG: too slow.', 'next': 'Try a "
	"pool.', 'rows': [{'name': 'p95', 'title': 'P95 of all', 'value': '62.1 ms', 'limit': '≤ 50 ms', "
	"'bound': '63.0 ms',  'verdict': 'failed'}]}";

static const char verify_json[] =
	"{'format': 1, 'violations': 1, 'arms': [{'arm': 1, 'lost': 1, 'doubled': 0, 'altered': 0, "
	"'reordered': 0, 'examples': [{'kind': 'lost', 'message_id': 'b-msg-17', 'stream': null, "
	"'detail': 'no row holds it'}]}]}";

static char folder[SCRATCH_SIZE];
static char *page;

static void set_up(void)
{
	scratch_folder(folder);
	page = NULL;
}

static void tear_down(void)
{
	char command[96];
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
	free(page);
}

/* Single quotes stand for double ones. */
static void write_document(const char *name, const char *text)
{
	char *path = run_file(folder, name);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	for (const char *at = text; *at; at++)
		ck_assert_int_ne(fputc(*at == '\'' ? '"' : *at, file), EOF);
	ck_assert_int_eq(fclose(file), 0);
	free(path);
}

static char *read_page(void)
{
	char *path = run_file(folder, RUN_REPORT);
	struct buffer text = {0};
	char part[4096];
	size_t size;
	FILE *file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	while ((size = fread(part, 1, sizeof(part), file)) > 0)
		buffer_add(&text, part, size);
	(void)fclose(file);
	free(path);
	return buffer_take(&text);
}

static void report(void)
{
	struct sluice_error error = {0};
	ck_assert_msg(report_write(folder, &error), "%s", error.text);
	page = read_page();
}

static void report_all(void)
{
	write_document(RUN_ABOUT, run_json);
	write_document(RUN_COMPARE, compare_json);
	write_document(RUN_GATE, gate_json);
	write_document(RUN_VERIFY, verify_json);
	report();
}

static void expect(const char *text)
{
	ck_assert_msg(strstr(page, text) != NULL, "expected %s in the page", text);
}

static void expect_not(const char *text)
{
	ck_assert_msg(strstr(page, text) == NULL, "did not expect %s in the page", text);
}

static size_t count(const char *text)
{
	size_t found = 0;
	for (const char *at = page; (at = strstr(at, text)); at += strlen(text))
		found++;
	return found;
}

/* What stands between two texts; the caller frees it. */
static char *between(const char *before, const char *behind)
{
	const char *from = strstr(page, before);
	ck_assert_ptr_nonnull(from);
	from += strlen(before);
	const char *to = strstr(from, behind);
	ck_assert_ptr_nonnull(to);
	return strndup(from, (size_t)(to - from));
}

static bool is_void(const char *name)
{
	return strcmp(name, "meta") == 0 || strcmp(name, "br") == 0 || strcmp(name, "!DOCTYPE") == 0;
}

/* Every element is closed where it was opened; what is in scripts and styles is no markup. */
static void expect_well_formed(void)
{
	char open[64][16], name[16];
	size_t depth = 0;
	for (const char *at = strchr(page, '<'); at; at = strchr(at + 1, '<')) {
		bool closes = at[1] == '/';
		ck_assert_int_eq(sscanf(at + 1 + closes, "%15[!a-zA-Z0-9]", name), 1);
		if (is_void(name))
			continue;
		if (closes) {
			ck_assert_uint_gt(depth, 0);
			ck_assert_str_eq(name, open[--depth]);
			continue;
		}
		ck_assert_uint_lt(depth, 64);
		(void)strcpy(open[depth++], name);
		if (strcmp(name, "script") == 0 || strcmp(name, "style") == 0) {
			at = strstr(at, name[1] == 'c' ? "</script" : "</style");
			ck_assert_ptr_nonnull(at);
			at--;
		}
	}
	ck_assert_uint_eq(depth, 0);
}

START_TEST(test_everything_is_said)
{
	static const char *const texts[] = {
		"<title>Better: none against batched</title>",
		"It helps: P95 falls.",
		"<li>none does not keep up.</li>",
		"<b>Gate: FLAG</b> too slow.",
		"<code>p.yaml</code>, no overlay",
		"<code>x</code>, <code>y</code>",
		"<dt>About</dt><dd>a slow database</dd>",
		"60,000 requests, 500 a second (poisson arrivals), over 50 connections",
		"20 pairs of blocks of 3\u00a0s",
		"signed as github",
		"2 × a processor, 8.00\u00a0GiB, Linux 6",
		"2026-11-25 22:00:00 UTC, for 131\u00a0s",
		"<td data-label=\"A\">231\u00a0ms</td><td data-label=\"B\">62.1\u00a0ms</td>",
		"−73.2\u00a0%",
		"−75.0\u00a0% to −70.0\u00a0%",
		"95\u00a0% interval",
		"P95 of all",
		"≤ 50 ms",
		"<span class=\"tone bad\">failed</span>",
		"Try a pool.",
		"59,997 of 60,000 requests",
		"<b>Open loop.</b>",
		"<b>Pairs.</b>",
		"(to stop: 0.0042), and it stopped there",
		"it was late",
		"cafe01",
		"A: effective pipeline",
		"A: persist/postgres 1.2.3",
	};
	report_all();
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect(texts[i]);
	expect_well_formed();
}
END_TEST

START_TEST(test_what_could_not_be_measured_is_a_dash)
{
	report_all();
	expect("<th scope=\"row\">WAL</th><td data-label=\"A\">1.00\u00a0B</td><td data-label=\"B\">–</td>");
	expect_not("nan");
}
END_TEST

START_TEST(test_violations_come_from_the_verifier_before_the_comparison)
{
	report_all();
	expect("<td data-label=\"B\"><span class=\"tone bad\">1</span></td>");
	expect("<code>b-msg-17</code>: lost, no row holds it");
	ck_assert_int_eq(unlink(strcat(strcpy((char[96]){0}, folder), "/" RUN_VERIFY)), 0);
	free(page);
	report();
	expect("<td data-label=\"A\"><span class=\"tone even\">0</span></td><td data-label=\"B\"><span class=\"tone bad\">7</span></td>");
}
END_TEST

START_TEST(test_run_alone_is_a_report)
{
	write_document(RUN_ABOUT, run_json);
	report();
	expect("<span class=\"outcome\">Invalid</span>");
	expect("59,997 of 60,000 good requests were accepted; 95 of 100 requests had their answer 231\u00a0ms");
	expect("from when it was due</th>");
	expect("2.00\u00a0s");
	expect("What is stored was not held against what was answered.");
	expect_not("<h2>Gate</h2>");
	expect_not("<b>Pairs.</b>");
	expect_well_formed();
}
END_TEST

START_TEST(test_least_document_is_a_report)
{
	write_document(RUN_ABOUT, "{}");
	report();
	expect("Measured: A");
	expect_not("nan");
	expect_well_formed();
}
END_TEST

START_TEST(test_closed_loop_is_said_to_be_one)
{
	write_document(RUN_ABOUT, "{'schedule': {'rate': 0, 'requests': 5, 'connections': 1}}");
	report();
	expect("as fast as answers came");
	expect("<b>Closed loop.</b>");
}
END_TEST

START_TEST(test_texts_cannot_become_markup)
{
	write_document(RUN_ABOUT, "{'arms': [{'label': '" EVIL "', 'pipeline': '" EVIL "', 'optimizations': ['" EVIL
	                          "']}], 'host': {'cpu': '" EVIL "'}, 'results': {'by_kind': {'" EVIL "': {}}}}");
	write_document(RUN_COMPARE,
	               "{'verdict': {'outcome': '" EVIL "', 'sentence': '" EVIL "'}, 'metrics': [{'name': '" EVIL
	               "', 'title': '" EVIL "', 'unit': '" EVIL "', 'a': 1}]}");
	write_document(RUN_GATE, "{'rows': [{'name': '" EVIL "', 'value': '" EVIL "', 'verdict': '" EVIL "'}]}");
	report();
	ck_assert_uint_eq(count("<script"), 2);
	ck_assert_uint_eq(count("</script"), 2);
	expect_not("<img");
	expect_well_formed();
}
END_TEST

START_TEST(test_data_for_the_charts_is_what_was_read)
{
	report_all();
	write_document(RUN_COMPARE, "{'verdict': {'sentence': '" EVIL "'}, 'quantiles': [{'q': 0.999, 'a': 0.1}]}");
	free(page);
	report();
	char *data = between("id=\"data\">", "</script>");
	ck_assert_ptr_null(strstr(data, "<"));
	ck_assert_ptr_null(strstr(data, "\u2028"));
	json_t *all = json_loads(data, 0, NULL), *compare = run_read_json(folder, RUN_COMPARE, NULL);
	ck_assert(json_equal(json_object_get(all, "compare"), compare));
	json_decref(compare);
	json_decref(all);
	free(data);
}
END_TEST

START_TEST(test_page_allows_its_own_script_and_nothing_else)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	unsigned char hash[2 * SLUICE_DIGEST_SIZE];
	report_all();
	char *script = between("</script>\n<script>", "</script>"),
	     *policy = between("Security-Policy\" content=\"", "\"");
	digest_bytes(script, strlen(script), digest);
	(void)EVP_EncodeBlock(hash, digest, sizeof(digest));
	ck_assert_ptr_nonnull(strstr(policy, "default-src 'none'"));
	ck_assert_ptr_nonnull(strstr(policy, (const char *)hash));
	free(policy);
	free(script);
}
END_TEST

START_TEST(test_what_works_and_what_waits_is_shown_where_it_was_measured)
{
	report_all();
	expect_not("Working or waiting");
	free(page);
	write_document(RUN_COMPARE,
	               "{'arms': [{'label': 'none'}, {'label': 'b'}], 'stages': [{'stage': 'auth', 'title': 'auth', "
	               "'body_ms': [1, 1], 'tail_ms': [1, 1]}, {'stage': 'persist', 'title': 'persist', "
	               "'body_ms': [1, 1], 'tail_ms': [80, 60], 'processor': [{'body_work_ms': 1, 'body_cpu_ms': 1, "
	               "'tail_work_ms': 80, 'tail_cpu_ms': 20}, null]}]}");
	report();
	expect("Working or waiting");
	expect("<th scope=\"row\">persist</th><td data-label=\"A\">80.0\u00a0ms</td><td data-label=\"processor\">20.0\u00a0ms</td>"
	       "<td data-label=\"works\">25.00\u00a0%</td><td data-label=\"B\">–</td>");
	expect_not("<th scope=\"row\">auth</th>");
	expect_well_formed();
}
END_TEST

START_TEST(test_stacks_of_both_arms_become_one_tree)
{
	write_document(RUN_STACKS("a"), "worker;main;store 30\nworker;main;parse 70\n");
	write_document(RUN_STACKS("b"), "worker;main;store 90\nworker;main;parse 70\nworker;<b>\xc3\xa9</b> 40\n");
	report_all();
	expect("\"flame\":[\"all\",100.0,200.0,[[\"worker\",100.0,200.0,"
	       "[[\"\\u003cb>\\u00E9\\u003c/b>\",0.0,40.0,[]],[\"main\",100.0,160.0,"
	       "[[\"parse\",70.0,70.0,[]],[\"store\",30.0,90.0,[]]]]]]]]");
	expect_well_formed();
}
END_TEST

/* Whatever it is, it is no stack: without a number, with one that is none, not text; or too many, too deep. */
START_TEST(test_stacks_of_strangers_are_bounded)
{
	struct buffer text = {0};
	buffer_add_text(
		&text,
		"worker;main\nworker;main 0\nworker;main -3\nworker;main nan\nworker;main 1e300\n \n;;; 1\n\xff 5\n");
	for (size_t i = 0; i < 10000; i++)
		buffer_add_text(&text, "deep;");
	buffer_add_text(&text, "deep 400000\n");
	for (size_t i = 0; i < 100000; i++)
		buffer_printf(&text, "f%zu 1\n", i);
	write_document(RUN_STACKS("a"), text.data);
	buffer_finish(&text);
	report_all();
	ck_assert_uint_eq(count("[\"deep\",400000.0,0.0"), 100);
	expect("\"flame\":[\"all\",500001.0,0.0,");
	ck_assert_uint_lt(strlen(page), 150000);
}
END_TEST

START_TEST(test_document_that_cannot_be_read_is_named_and_the_old_report_stays)
{
	struct sluice_error error = {0};
	report_all();
	write_document(RUN_GATE, "{'rows': [");
	ck_assert(!report_write(folder, &error));
	ck_assert_ptr_nonnull(strstr(error.text, RUN_GATE ":1:"));
	char *after = read_page();
	ck_assert_str_eq(after, page);
	free(after);
}
END_TEST

START_TEST(test_directory_without_a_run_is_refused)
{
	struct sluice_error error = {0};
	ck_assert(!report_write(folder, &error));
	ck_assert_ptr_nonnull(strstr(error.text, RUN_ABOUT));
}
END_TEST

START_TEST(test_html_escapes_what_is_filled_in_and_only_that)
{
	struct buffer out = {0};
	html_add(&out, "<b title=\"%s\">%s</b>", "a\"b'c", "1 < 2 & 3 > 2");
	ck_assert_str_eq(out.data, "<b title=\"a&quot;b&#39;c\">1 &lt; 2 &amp; 3 &gt; 2</b>");
	buffer_empty(&out);
	html_text(&out, NULL);
	ck_assert_uint_eq(out.size, 0);
	buffer_finish(&out);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("report");
	TCase *reports = tcase_create("reports");
	tcase_add_checked_fixture(reports, set_up, tear_down);
	tcase_add_test(reports, test_everything_is_said);
	tcase_add_test(reports, test_what_could_not_be_measured_is_a_dash);
	tcase_add_test(reports, test_violations_come_from_the_verifier_before_the_comparison);
	tcase_add_test(reports, test_run_alone_is_a_report);
	tcase_add_test(reports, test_least_document_is_a_report);
	tcase_add_test(reports, test_closed_loop_is_said_to_be_one);
	tcase_add_test(reports, test_texts_cannot_become_markup);
	tcase_add_test(reports, test_data_for_the_charts_is_what_was_read);
	tcase_add_test(reports, test_page_allows_its_own_script_and_nothing_else);
	tcase_add_test(reports, test_what_works_and_what_waits_is_shown_where_it_was_measured);
	tcase_add_test(reports, test_stacks_of_both_arms_become_one_tree);
	tcase_add_test(reports, test_stacks_of_strangers_are_bounded);
	tcase_add_test(reports, test_document_that_cannot_be_read_is_named_and_the_old_report_stays);
	tcase_add_test(reports, test_directory_without_a_run_is_refused);
	tcase_add_test(reports, test_html_escapes_what_is_filled_in_and_only_that);
	suite_add_tcase(suite, reports);
	return suite;
}

UNIT_SUITE(test_report, make_suite)
