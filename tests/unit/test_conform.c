/*
 * Conformance: every stage of the tree keeps its promises, and for every promise there is a stage in tests/flawed that
 * breaks it and is found out by the check that is meant for it.
 */
#include <check.h>
#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "conform/conform.h"
#include "support/scratch.h"
#include "support/unit.h"

#define SLUICE TEST_BUILD_DIR "/sluice"
#define FLAWED TEST_BUILD_DIR "/tests/flawed/"

#ifdef TEST_SANITIZED
enum { TIMEOUT_S = 240, TIMEOUT_WITH_FLAWED_S = 60 };
#else
enum { TIMEOUT_S = 60, TIMEOUT_WITH_FLAWED_S = 10 };
#endif
enum { TEST_TIMEOUT_S = 900, FLAWED_SHARES = 8 };

/* What they break is for the checks to find, not for ThreadSanitizer. */
#ifdef TEST_SANITIZED_THREADS
enum { FLAWED_ARE_BUILT = 0 };
#else
enum { FLAWED_ARE_BUILT = 1 };
#endif

/* The settings that a stage needs to be created, and to have all its checks run. */
static const struct settings {
	const char *ends_with; /* of the path; an empty one: of all others */
	const char *options[4];
	const char *request; /* in the sources */
} all_settings[] = {
	{"/stages/auth/hmac.so", {"secrets=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, NULL},
	{"/stages/auth/hmac.so", {"scheme=github", "secrets=It's a Secret to Everybody"}, NULL},
	{"/stages/auth/hmac.so", {"scheme=stripe", "secrets=conform-secret"}, NULL},
	{"/stages/auth/hmac.so", {"scheme=slack", "secrets=conform-secret,other-secret"}, NULL},
	{"/stages/auth/hmac.so", {"scheme=shopify", "secrets=conform-secret"}, NULL},
	{"/plugins/auth/signature.so",
         {"provider=discord", "keys=d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"},
         NULL},
	{"/plugins/auth/token.so", {"tokens=conform-token,other-token"}, NULL},
	{"/plugins/auth/basic.so", {"users=conform:conform-secret,other:other-secret"}, NULL},
	{"/tests/flawed/auth/", {"secrets=conform-secret"}, NULL},
	{"/tests/flawed/address/",
         {"networks=203.0.113.0/27,10.1.16.0/20,2001:db8::/45"},
         TEST_SOURCE_DIR "/tests/flawed/address/requests"},
	{"/tests/flawed/form/", {NULL}, TEST_SOURCE_DIR "/tests/flawed/form/requests"},
	{"", {NULL}, NULL},
};

static bool fits(const struct settings *settings, const char *path)
{
	return strstr(path, settings->ends_with) != NULL;
}

static const struct settings *settings_of(const char *path)
{
	const struct settings *settings = all_settings;
	while (!fits(settings, path))
		settings++;
	return settings;
}

static glob_t files_like(const char *pattern)
{
	glob_t files;
	ck_assert_int_eq(glob(pattern, 0, NULL, &files), 0);
	return files;
}

struct finding {
	const struct conform *conform;
	struct buffer *broken;
};

/* Where the sanitizer itself failed, nothing was found out about the stage. */
static bool is_of_the_sanitizer(const struct check_result *result)
{
	return strstr(result->sentence, "ThreadSanitizer: CHECK failed") != NULL;
}

static void note_broken(void *context, const struct check_result *result)
{
	struct finding *finding = context;
	struct check_result again;
	if (result->outcome == CHECK_BROKEN && is_of_the_sanitizer(result)) {
		conform_run_check(finding->conform, result->entry, &again);
		result = &again;
	}
	if (result->outcome == CHECK_BROKEN)
		buffer_printf(finding->broken, "\n  %s: %s (%s)", result->entry->name, result->sentence, result->where);
}

/* The persist stage that it asks for its ids; NULL: none. */
static struct plugin *open_store_of(const char *path)
{
	struct sluice_error error = {0};
	if (!strstr(path, "/tests/flawed/idempotency/filter_"))
		return NULL;
	struct plugin *store = loader_open_file(FLAWED "persist/sound.so", &error);
	ck_assert_msg(store != NULL, "%s", error.text);
	return store;
}

/* CI runs the quick ones; ./dev test --long the whole. */
static enum conform_effort effort_of_tests(void)
{
	return getenv("SLUICE_LONG") ? CONFORM_LONG : CONFORM_QUICK;
}

/* Runs the checks, or one of them; what is broken is added to `broken`. */
static struct conform_totals run(const char *path, const struct settings *settings, const char *only, int timeout_s,
                                 struct buffer *broken)
{
	struct sluice_error error = {0};
	struct plugin *plugin = loader_open_file(path, &error);
	ck_assert_msg(plugin != NULL, "%s", error.text);
	struct plugin *store = open_store_of(path);
	struct conform conform = {.plugin = plugin,
	                          .store = store,
	                          .options = settings->options,
	                          .request = settings->request,
	                          .start_folder = "/",
	                          .only = only,
	                          .timeout_ns = timeout_s * NS_PER_S,
	                          .effort = effort_of_tests()};
	ck_assert_msg(conform_can_create(&conform, &error), "%s: %s", path, error.text);
	struct finding finding = {&conform, broken};
	struct conform_totals totals = conform_run(&conform, NULL, note_broken, &finding);
	loader_close(store);
	loader_close(plugin);
	return totals;
}

static void expect_conforming(const char *path, const struct settings *settings)
{
	struct buffer broken = {0};
	struct conform_totals totals = run(path, settings, NULL, TIMEOUT_S, &broken);
	ck_assert_msg(broken.size == 0, "%s:%s", path, broken.data);
	ck_assert_uint_gt(totals.counts[CHECK_KEPT], 0);
	buffer_finish(&broken);
}

/* A store on the network has a test of its own, with its server; an exporter of traces is no stage. */
static bool is_for_others(const char *path)
{
	return strstr(path, "/plugins/export/") != NULL || strstr(path, "/persist/postgres") != NULL ||
	       strstr(path, "/idempotency/lookup") != NULL || strstr(path, "/idempotency/filter") != NULL ||
	       strstr(path, "/queue/redis") != NULL;
}

static void expect_all_conforming(const char *pattern)
{
	glob_t files = files_like(pattern);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		const char *path = files.gl_pathv[i];
		bool known = false;
		if (is_for_others(path))
			continue;
		for (const struct settings *each = all_settings; each->ends_with[0]; each++) {
			if (fits(each, path))
				expect_conforming(path, each);
			known |= fits(each, path);
		}
		if (!known)
			expect_conforming(path, settings_of(path));
	}
	globfree(&files);
}

START_TEST(test_every_stage_conforms)
{
	static const char *const kinds[] = {"auth", "parse", "idempotency", "queue", "persist"};
	char pattern[512];
	(void)snprintf(pattern, sizeof(pattern), "%s/stages/%s/*.so", TEST_BUILD_DIR, kinds[_i]);
	expect_all_conforming(pattern);
}
END_TEST

START_TEST(test_every_plugin_conforms)
{
	expect_all_conforming(TEST_BUILD_DIR "/plugins/*/*.so");
}
END_TEST

START_TEST(test_a_stage_of_an_older_minor_conforms)
{
	const char *path = TEST_BUILD_DIR "/tests/stages/auth/older_minor.so";
	expect_conforming(path, settings_of(path));
#ifdef __x86_64__
	expect_conforming(TEST_SOURCE_DIR "/tests/fixtures/abi-1.0/older_minor.so", settings_of(path));
#endif
}
END_TEST

/* What the stages of a folder are, where that is not called after it. */
static const struct {
	const char *folder, *kind;
} kinds_of_folders[] = {{"address", "auth"}, {"form", "parse"}, {"table", "idempotency"}};

/* What the source of a flawed stage says it breaks: "nothing" of a sound one. */
static void read_claim(const char *path, char kind[32], char claim[64])
{
	char source[512], name[64];
	ck_assert_int_eq(sscanf(path + strlen(FLAWED), "%31[^/]/%63[^.]", kind, name), 2);
	(void)snprintf(source, sizeof(source), "%s/tests/flawed/%s/%s.c", TEST_SOURCE_DIR, kind, name);
	FILE *file = fopen(source, "r");
	ck_assert_msg(file != NULL, "%s: has no source", source);
	ck_assert_msg(fscanf(file, "/* breaks: %63[a-z-] */", claim) == 1, "%s: does not say what it breaks", source);
	(void)fclose(file);
	for (size_t i = 0; i < sizeof(kinds_of_folders) / sizeof(kinds_of_folders[0]); i++) {
		if (strcmp(kind, kinds_of_folders[i].folder) == 0)
			(void)snprintf(kind, 32, "%s", kinds_of_folders[i].kind);
	}
}

static bool is_caught(const char *path, const char *claim)
{
	struct buffer broken = {0};
	struct conform_totals totals = run(path, settings_of(path), claim, TIMEOUT_WITH_FLAWED_S, &broken);
	buffer_finish(&broken);
	return totals.counts[CHECK_BROKEN] == 1;
}

START_TEST(test_every_flawed_stage_is_caught)
{
	glob_t files = files_like(FLAWED "*/*.so");
	struct buffer missed = {0};
	char kind[32], claim[64];
	for (size_t i = (size_t)_i; i < files.gl_pathc; i += FLAWED_SHARES) {
		const char *path = files.gl_pathv[i];
		read_claim(path, kind, claim);
		if (strcmp(claim, "nothing") == 0)
			expect_conforming(path, settings_of(path));
		else if (!is_caught(path, claim))
			buffer_printf(&missed, "\n  %s: the check %s has not noticed", path, claim);
	}
	ck_assert_msg(missed.size == 0, "%s", missed.data);
	globfree(&files);
}
END_TEST

static bool is_claimed(const glob_t *files, const char *kind, const char *check)
{
	char its_kind[32], claim[64];
	for (size_t i = 0; i < files->gl_pathc; i++) {
		read_claim(files->gl_pathv[i], its_kind, claim);
		if (strcmp(claim, check) == 0 && (!kind || strcmp(its_kind, kind) == 0))
			return true;
	}
	return false;
}

START_TEST(test_every_promise_is_broken_by_some_stage)
{
	static const struct {
		const char *kind;
		const struct check_entry *suite;
	} suites[] = {{NULL, suite_common},   {"auth", suite_auth},
	              {"parse", suite_parse}, {"idempotency", suite_idempotency},
	              {"queue", suite_queue}, {"persist", suite_persist}};
	glob_t files = files_like(FLAWED "*/*.so");
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
		for (const struct check_entry *entry = suites[i].suite; entry->name; entry++)
			ck_assert_msg(is_claimed(&files, suites[i].kind, entry->name),
			              "no stage in tests/flawed breaks %s (%s)", entry->name,
			              suites[i].kind ? suites[i].kind : "any kind");
	}
	globfree(&files);
}
END_TEST

static struct buffer output;

/* Runs `sluice conform ARGUMENTS`; what it says on both streams is in `output`. Returns its exit status. */
static int sluice_conform(const char *arguments)
{
	struct buffer command = {0};
	char part[4096];
	buffer_printf(&command, "%s conform %s 2>&1", SLUICE, arguments);
	FILE *pipe = popen(command.data, "r");
	ck_assert_ptr_nonnull(pipe);
	buffer_empty(&output);
	for (size_t size; (size = fread(part, 1, sizeof(part), pipe)) > 0;)
		buffer_add(&output, part, size);
	buffer_add_text(&output, "");
	int status = pclose(pipe);
	buffer_finish(&command);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void expect_said(const char *text)
{
	ck_assert_msg(strstr(output.data, text) != NULL, "expected \"%s\" in:\n%s", text, output.data);
}

START_TEST(test_a_sound_stage_is_0)
{
	ck_assert_int_eq(sluice_conform(TEST_BUILD_DIR "/stages/auth/none.so --quick"), 0);
	expect_said("auth/none " SLUICE_VERSION);
	expect_said("  ok       verdicts");
	expect_said(" 0 BROKEN");
}
END_TEST

START_TEST(test_a_broken_promise_is_1_with_how_to_see_it_again)
{
	ck_assert_int_eq(sluice_conform(FLAWED "auth/ignores_time.so --set secrets=hush-hush --only stale"), 1);
	expect_said("  BROKEN   stale");
	expect_said("two days old: expected REJECT, got PASS");
	expect_said("reproduce: sluice conform " FLAWED "auth/ignores_time.so --set secrets='***' --only stale\n");
	ck_assert_ptr_null(strstr(output.data, "hush-hush"));
}
END_TEST

START_TEST(test_a_crash_is_1_and_named)
{
	ck_assert_int_eq(sluice_conform(FLAWED "parse/reads_on.so --only cut-body"), 1);
	expect_said("BROKEN   cut-body");
	ck_assert(strstr(output.data, "SIGSEGV") || strstr(output.data, "Sanitizer: "));
}
END_TEST

START_TEST(test_an_event_used_after_its_end_is_1_and_named)
{
	ck_assert_int_eq(sluice_conform(FLAWED "auth/keeps_a_pointer.so --set secrets=s --only keeps-nothing"), 1);
	expect_said("used the memory of an event that had ended");
}
END_TEST

START_TEST(test_a_hang_is_1_and_named)
{
	ck_assert_int_eq(sluice_conform(FLAWED "auth/hangs.so --set secrets=s --only verdicts --timeout 500ms"), 1);
	expect_said("timed out after 0.5 s");
}
END_TEST

START_TEST(test_an_exit_is_1_and_named)
{
	ck_assert_int_eq(sluice_conform(FLAWED "auth/exits.so --set secrets=s --only verdicts"), 1);
	expect_said("the process exited with status 0 during the check");
}
END_TEST

START_TEST(test_what_cannot_be_told_is_2)
{
	static const struct {
		const char *arguments, *sentence;
	} cases[] = {
		{"", "something is missing"},
		{"/nowhere/x.so", "/nowhere/x.so: does not exist: build it, or correct the path"},
		{"/bin/sh", "/bin/sh: "},
		{TEST_BUILD_DIR "/stages/auth/none.so --only verdict",
	         "there is no check verdict for auth stages; did you mean verdicts"},
		{TEST_BUILD_DIR "/stages/auth/none.so --only observe", "it has no observe()"},
		{TEST_BUILD_DIR "/stages/auth/none.so --timeout 20",
	         "--timeout: expected a duration such as 60s, got 20"},
		{TEST_BUILD_DIR "/stages/auth/none.so --request /nowhere", "--request: no such file: /nowhere"},
		{TEST_BUILD_DIR "/stages/auth/hmac.so",
	         "cannot create the stage with the options given by --set: secrets: "},
		{TEST_BUILD_DIR "/plugins/auth/token.so", "tokens: is required"},
		{TEST_BUILD_DIR "/stages/auth/hmac.so --set secret=x",
	         "unknown option secret; did you mean \"secrets\""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(sluice_conform(cases[i].arguments) == 2, "%s: %s", cases[i].arguments, output.data);
		expect_said(cases[i].sentence);
	}
}
END_TEST

START_TEST(test_json_says_the_same)
{
	ck_assert_int_eq(sluice_conform(FLAWED "auth/ignores_time.so --set secrets=hush-hush --quick --json"), 1);
	json_t *report = json_loads(output.data, 0, NULL);
	ck_assert_msg(report != NULL, "%s", output.data);
	ck_assert(json_is_false(json_object_get(report, "conforms")));
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(report, "totals"), "BROKEN")),
	                 2); /* stale, clock-jumps */
	json_decref(report);
	ck_assert_ptr_null(strstr(output.data, "hush-hush"));
}
END_TEST

/* Runs `sluice conform ARGUMENTS --request FILE` with a file of that content. */
static int conform_with_request(const char *arguments, const char *content)
{
	char name[SCRATCH_SIZE];
	struct buffer all = {0};
	int descriptor = scratch_file(name);
	ck_assert_int_ge(descriptor, 0);
	FILE *file = fdopen(descriptor, "w");
	(void)fputs(content, file);
	ck_assert_int_eq(fclose(file), 0);
	buffer_printf(&all, "%s --request %s", arguments, name);
	int status = sluice_conform(all.data);
	buffer_finish(&all);
	(void)remove(name);
	return status;
}

START_TEST(test_a_request_from_a_file_is_accepted)
{
	/* The vector of docs.github.com. */
	static const char request[] =
		"POST /webhooks HTTP/1.1\r\nHost: example.org\r\nX-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17\r\n\r\nHello, World!";
	int status = conform_with_request(
		TEST_BUILD_DIR
		"/stages/auth/hmac.so --set scheme=github --set \"secrets=It's a Secret to Everybody\" --only changed-header",
		request);
	ck_assert_msg(status == 0, "%s", output.data);
}
END_TEST

#define SIGNED                                                                                                         \
	"Stripe-Signature: t=1700000000,v1=edd4eccaf047198be8409ad62a80aa54f4c51b597d84e880b310f044016400ce\r\n\r\nHello"
#define DATE "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"

START_TEST(test_a_request_with_a_date_shows_whether_the_time_is_verified)
{
	static const struct {
		const char *stage, *request;
		int status;
		const char *said;
	} cases[] = {
		{"sound", "POST / HTTP/1.1\r\n" DATE SIGNED, 0, "  ok       stale"},
		{"ignores_time", "POST / HTTP/1.1\r\n" DATE SIGNED, 2, "it verifies no time"},
		{"sound", "POST / HTTP/1.1\r\n" SIGNED, 1, "a valid request: expected PASS, got REJECT"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char arguments[512];
		(void)snprintf(arguments, sizeof(arguments),
		               FLAWED "auth/%s.so --set secrets=conform-secret --only stale", cases[i].stage);
		int status = conform_with_request(arguments, cases[i].request);
		ck_assert_msg(status == cases[i].status, "%d: %s", status, output.data);
		expect_said(cases[i].said);
	}
}
END_TEST

START_TEST(test_a_parser_of_another_format_is_checked_with_a_request_of_its_own)
{
	static const char stage[] = TEST_BUILD_DIR "/tests/stages/parse/line_parse.so --quick";
	int status = conform_with_request(
		stage, "POST /lines?a=1 HTTP/1.1\r\nHost: lines.example:81\r\n\r\nid type some payload");
	ck_assert_msg(status == 0, "%s", output.data);
	expect_said("  ok       many-threads");
	expect_said("its format is that of the request given with --request");
	status = conform_with_request(stage, "POST /lines HTTP/1.1\r\nHost: lines.example:81\r\n\r\nid type payload");
	ck_assert_msg(status == 1, "%s", output.data);
	expect_said("the request given with --request: expected PASS, got REJECT");
	ck_assert_int_eq(sluice_conform(stage), 1);
}
END_TEST

static void add_flawed(TCase *stages, TCase *command)
{
	unit_add_loop(stages, test_every_flawed_stage_is_caught, FLAWED_SHARES);
	unit_add(stages, test_every_promise_is_broken_by_some_stage);
	unit_add(command, test_a_sound_stage_is_0);
	unit_add(command, test_a_broken_promise_is_1_with_how_to_see_it_again);
	unit_add(command, test_a_crash_is_1_and_named);
	unit_add(command, test_an_event_used_after_its_end_is_1_and_named);
	unit_add(command, test_a_hang_is_1_and_named);
	unit_add(command, test_an_exit_is_1_and_named);
	unit_add(command, test_what_cannot_be_told_is_2);
	unit_add(command, test_json_says_the_same);
	unit_add(command, test_a_request_from_a_file_is_accepted);
	unit_add(command, test_a_request_with_a_date_shows_whether_the_time_is_verified);
	unit_add(command, test_a_parser_of_another_format_is_checked_with_a_request_of_its_own);
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("conform");
	TCase *stages = tcase_create("stages"), *command = tcase_create("command");
	tcase_set_timeout(stages, TEST_TIMEOUT_S);
	tcase_set_timeout(command, TEST_TIMEOUT_S);
	unit_add_loop(stages, test_every_stage_conforms, KIND_COUNT);
	unit_add(stages, test_every_plugin_conforms);
	unit_add(stages, test_a_stage_of_an_older_minor_conforms);
	if (FLAWED_ARE_BUILT)
		add_flawed(stages, command);
	suite_add_tcase(suite, stages);
	suite_add_tcase(suite, command);
	return suite;
}

UNIT_SUITE_IN_PARTS(test_conform, make_suite, 4)
