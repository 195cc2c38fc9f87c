/*
 * The configuration, by golden cases: tests/golden/config/NAME/ has a pipeline.yaml, what is said to it besides in
 * `args` (a line each: --enable A, --disable A, --set PATH=VALUE, or an environment variable as NAME=VALUE), and what
 * must come of it: the whole sentence in expected-error.txt, or the effective pipeline in expected-print.yaml.
 */
#include <check.h>
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "runtime/config.h"
#include "support/harness.h"
#include "support/scratch.h"
#include "support/unit.h"

#define CASES TEST_SOURCE_DIR "/tests/golden/config"
#define STAGE_PATH TEST_BUILD_DIR "/tests/stages:" TEST_BUILD_DIR "/stages"

enum { SETS_MAX = 8 };

static struct dirent **cases;
static int case_count;

static bool read_text(const char *path, struct buffer *out)
{
	FILE *file = fopen(path, "rb");
	char part[4096];
	if (!file)
		return false;
	buffer_empty(out);
	buffer_add_text(out, "");
	for (size_t size; (size = fread(part, 1, sizeof(part), file)) > 0;)
		buffer_add(out, part, size);
	(void)fclose(file);
	return true;
}

/* What the case says besides its file. */
struct said {
	struct config_request request;
	const char *sets[SETS_MAX + 1];
	size_t set_count;
	struct buffer text;
};

static void say(struct said *said, char *line)
{
	char *value = strchr(line, ' ');
	if (strncmp(line, "--", 2) != 0) {
		ck_assert_int_eq(putenv(line), 0);
		return;
	}
	ck_assert_ptr_nonnull(value);
	*value++ = '\0';
	if (strcmp(line, "--enable") == 0)
		said->request.enable = value;
	else if (strcmp(line, "--disable") == 0)
		said->request.disable = value;
	else if (strcmp(line, "--set") == 0 && said->set_count < SETS_MAX)
		said->sets[said->set_count++] = value;
	else
		ck_abort_msg("the case says %s", line);
}

/* The environment is that of the forked test alone. */
static void read_said(struct said *said)
{
	*said = (struct said){.request = {.file = "pipeline.yaml", .stage_path = STAGE_PATH}};
	said->request.sets = said->sets;
	if (!read_text("args", &said->text))
		return;
	char *rest = said->text.data;
	for (char *line; (line = strsep(&rest, "\n"));) {
		if (*line)
			say(said, line);
	}
}

static void print(const struct config *config, struct buffer *out)
{
	buffer_empty(out);
	buffer_add_text(out, "#");
	for (const char *const *name = config->optimizations; *name; name++)
		buffer_printf(out, " %s", *name);
	buffer_add_text(out, "\n");
	for (const char *const *warning = config->warnings; *warning; warning++)
		buffer_printf(out, "# %s\n", *warning);
	config_print(config, out);
}

static void assert_reads_back(const struct config *config, const char *name)
{
	char file[SCRATCH_SIZE];
	int fd = scratch_file(file);
	struct buffer once = {0}, twice = {0};
	struct sluice_error error = {0};
	config_print(config, &once);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, once.data, once.size), (ssize_t)once.size);
	(void)close(fd);
	(void)clearenv();
	struct config_request request = {.file = file, .stage_path = STAGE_PATH};
	struct config *again = config_load(&request, &error);
	(void)unlink(file);
	ck_assert_msg(again != NULL, "%s: its print does not load: %s\n%s", name, error.text, once.data);
	config_print(again, &twice);
	ck_assert_str_eq(once.data, twice.data);
	ck_assert_str_eq(config->sha256, again->sha256);
	config_free(again);
	buffer_finish(&once);
	buffer_finish(&twice);
}

/* What a sentence says of the machine it was said on becomes BUILD. */
static void add_portably(struct buffer *out, const char *text)
{
	for (const char *place; (place = strstr(text, TEST_BUILD_DIR)); text = place + strlen(TEST_BUILD_DIR)) {
		buffer_add(out, text, (size_t)(place - text));
		buffer_add_text(out, "BUILD");
	}
	buffer_add_text(out, text);
}

static void assert_as_expected(const char *name)
{
	struct said said;
	struct buffer expected = {0}, got = {0};
	struct sluice_error error = {0};
	read_said(&said);
	struct config *config = config_load(&said.request, &error);
	if (read_text("expected-error.txt", &expected)) {
		ck_assert_msg(config == NULL, "%s: was loaded", name);
		add_portably(&got, error.text);
		buffer_add_text(&got, "\n");
	} else {
		ck_assert_msg(read_text("expected-print.yaml", &expected), "%s: expects nothing", name);
		ck_assert_msg(config != NULL, "%s: %s", name, error.text);
		print(config, &got);
	}
	ck_assert_msg(strcmp(expected.data, got.data) == 0, "%s: expected:\n%s\ngot:\n%s", name, expected.data,
	              got.data);
	if (config)
		assert_reads_back(config, name);
	config_free(config);
	buffer_finish(&expected);
	buffer_finish(&got);
	buffer_finish(&said.text);
}

START_TEST(test_golden_case_comes_out_as_expected)
{
	const char *name = cases[_i]->d_name;
	(void)clearenv();
	ck_assert_msg(chdir(CASES) == 0 && chdir(name) == 0, "%s: cannot be entered", name);
	assert_as_expected(name);
}
END_TEST

START_TEST(test_there_are_cases)
{
	ck_assert_int_ge(case_count, 45);
}
END_TEST

/* Loads a pipeline given as text. */
static struct config *load(const char *text, const char *const *sets, struct sluice_error *error)
{
	char file[SCRATCH_SIZE];
	int fd = scratch_file(file);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
	struct config_request request = {.file = file, .stage_path = STAGE_PATH, .sets = sets};
	struct config *config = config_load(&request, error);
	(void)unlink(file);
	return config;
}

START_TEST(test_what_is_left_out_has_its_default)
{
	struct sluice_error error = {0};
	struct config *config = load("stages: [{persist: config_batch, url: x}]", NULL, &error);
	ck_assert_msg(config != NULL, "%s", error.text);
	ck_assert_int_eq(config->listen.port, 5000);
	ck_assert_uint_eq(config->listen.max_body, 1 << 20);
	ck_assert_int_eq(config->listen.keep_alive.ns, 65000000000);
	ck_assert_int_eq(config->admin.port, 9464);
	ck_assert_ptr_null(config->admin.token);
	ck_assert_int_eq(config->events.max, 10000);
	ck_assert_int_eq(config->observability.lineage_recent, 10000);
	ck_assert_int_eq(config->persist.max_batch, 256);
	ck_assert_int_eq(config->persist.retry_min.ns, 50000000);
	ck_assert_int_eq(config->ack, ACK_STORED);
	ck_assert_int_eq(strncmp(config->name, "sluice-", 7), 0);
	ck_assert_ptr_null(config->optimizations[0]);
	config_free(config);
}
END_TEST

/* ${PIN} is what the file of `use` has. */
static void set_pin(const char *name, const char *use)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	char hex[DIGEST_HEX_SIZE], file[512];
	(void)snprintf(file, sizeof(file), TEST_BUILD_DIR "/tests/stages/persist/%s.so", use);
	ck_assert(digest_file(file, digest, NULL));
	digest_hex(digest, hex);
	ck_assert_int_eq(setenv(name, hex, 1), 0);
}

START_TEST(test_pin_that_fits_is_printed_and_reads_back)
{
	struct sluice_error error = {0};
	struct buffer out = {0};
	set_pin("PIN", "config_batch");
	for (char *digit = getenv("PIN"); *digit; digit++)
		*digit = (char)toupper((unsigned char)*digit);
	struct config *config = load("stages: [{persist: config_batch, sha256: \"${PIN}\", url: x}]", NULL, &error);
	ck_assert_msg(config != NULL, "%s", error.text);
	set_pin("PIN", "config_batch");
	ck_assert_str_eq(config->stages[SLUICE_KIND_PERSIST].sha256, getenv("PIN"));
	config_print(config, &out);
	const char *line = strstr(out.data, "    sha256: ");
	ck_assert_ptr_nonnull(line);
	ck_assert_ptr_nonnull(strstr(line, getenv("PIN")));
	assert_reads_back(config, "pin");
	config_free(config);
	buffer_finish(&out);
}
END_TEST

START_TEST(test_pin_that_does_not_fit_is_refused_at_its_place)
{
	struct sluice_error error = {0};
	struct buffer sentence = {0};
	set_pin("PIN", "config_store");
	set_pin("HAS", "config_batch");
	ck_assert_ptr_null(load("stages:\n- persist: config_batch\n  sha256: ${PIN}\n  url: x\n", NULL, &error));
	buffer_printf(&sentence,
	              ":3:11: persist: " TEST_BUILD_DIR
	              "/tests/stages/persist/config_batch.so: has SHA-256 %s, but is pinned to %s: ",
	              getenv("HAS"), getenv("PIN"));
	ck_assert_msg(strstr(error.text, sentence.data) != NULL, "%s", error.text);
	buffer_finish(&sentence);
}
END_TEST

START_TEST(test_pin_goes_with_the_implementation_it_was_made_for)
{
	static const struct {
		const char *overlay, *set, *pin;
	} changes[] = {
		{"{about: nothing}", NULL, "STORE"},
		{"{stages: {persist: {use: config_batch}}}", NULL, NULL},
		{"{stages: {persist: {use: config_batch, sha256: \"${BATCH}\"}}}", NULL, "BATCH"},
		{"{stages: {persist: {use: config_store}}}", NULL, "STORE"},
		{"{stages: {persist: {sha256: ~}}}", NULL, NULL},
		{"{about: nothing}", "persist.sha256=", NULL},
		{"{about: nothing}", "persist=config_batch", NULL},
		{"{stages: {persist: {use: config_batch, sha256: \"${BATCH}\"}}}", "persist=config_store", NULL},
	};
	set_pin("STORE", "config_store");
	set_pin("BATCH", "config_batch");
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		struct sluice_error error = {0};
		struct buffer text = {0};
		const char *const sets[] = {changes[i].set, NULL};
		buffer_printf(
			&text,
			"stages: [{persist: config_store, sha256: \"${STORE}\", url: x}]\noptimizations: {a: %s}\nenable: a\n",
			changes[i].overlay);
		struct config *config = load(text.data, sets, &error);
		ck_assert_msg(config != NULL, "%zu: %s", i, error.text);
		const char *pin = config->stages[SLUICE_KIND_PERSIST].sha256;
		ck_assert_msg(!pin == !changes[i].pin, "%zu: %s", i, pin ? pin : "no pin");
		if (pin)
			ck_assert_str_eq(pin, getenv(changes[i].pin));
		config_free(config);
		buffer_finish(&text);
	}
}
END_TEST

START_TEST(test_networks_and_public_url_are_ready_to_match)
{
	struct sluice_error error = {0};
	struct ip_address near, far;
	ck_assert_int_eq(setenv("PROXY", "192.0.2.0/24", 1), 0);
	struct config *config = load(
		"listen: {trusted_proxies: [\"${PROXY}\", \"2001:db8::/32\"], public_url: \"https://h:1/in/\"}\n"
		"stages: [{persist: config_batch, url: x}]",
		NULL, &error);
	ck_assert_msg(config != NULL, "%s", error.text);
	ck_assert(ip_address_parse("192.0.2.77", &near) && ip_address_parse("192.0.3.0", &far));
	ck_assert_uint_eq(config->listen.proxies.count, 2);
	ck_assert(network_list_contains(&config->listen.proxies, &near));
	ck_assert(!network_list_contains(&config->listen.proxies, &far));
	ck_assert_str_eq(config->listen.origin.scheme, "https");
	ck_assert_str_eq(config->listen.origin.authority, "h:1");
	ck_assert_str_eq(config->listen.origin.path, "/in");
	config_free(config);
}
END_TEST

START_TEST(test_missing_file_is_named)
{
	struct sluice_error error = {0};
	struct config_request request = {.file = "/nowhere/x.yaml", .stage_path = STAGE_PATH};
	ck_assert_ptr_null(config_load(&request, &error));
	ck_assert_str_eq(error.text, "/nowhere/x.yaml: cannot be read: No such file or directory");
}
END_TEST

START_TEST(test_folder_is_no_file)
{
	struct sluice_error error = {0};
	struct config_request request = {.file = "/tmp", .stage_path = STAGE_PATH};
	ck_assert_ptr_null(config_load(&request, &error));
	ck_assert_str_eq(error.text, "/tmp: cannot be read: Is a directory");
}
END_TEST

START_TEST(test_file_of_megabytes_is_refused)
{
	struct sluice_error error = {0};
	struct config_request request = {.file = "/dev/zero", .stage_path = STAGE_PATH};
	ck_assert_ptr_null(config_load(&request, &error));
	ck_assert_str_eq(error.text, "/dev/zero: is larger than 1024 KiB; is it a settings file?");
}
END_TEST

START_TEST(test_secret_is_in_no_error_and_no_print)
{
	const char *const wrong[] = {"auth.secrets=[hush-hush, {hush-hush: hush-hush}]", NULL};
	const char *const many[] = {"auth.secrets=[hush-hush, hush-hush, hush-hush, hush-hush, hush-hush]", NULL};
	const char *const broken[] = {"auth.secrets=[hush-hush", NULL};
	const char *const good[] = {"auth.secrets=hush-hush", NULL};
	const char *const *const refused[] = {wrong, many, broken};
	const char *text = "stages: [{auth: config_auth}, {persist: config_batch, url: hush-hush}]";
	for (size_t i = 0; i < 3; i++) {
		struct sluice_error error = {0};
		ck_assert_ptr_null(load(text, refused[i], &error));
		ck_assert_int_ne(error.text[0], '\0');
		ck_assert_msg(!strstr(error.text, "hush"), "%s", error.text);
	}
	struct sluice_error error = {0};
	struct buffer out = {0};
	struct config *config = load(text, good, &error);
	ck_assert_msg(config != NULL, "%s", error.text);
	config_print(config, &out);
	ck_assert_ptr_null(strstr(out.data, "hush"));
	ck_assert_ptr_nonnull(strstr(out.data, "url: '***'"));
	buffer_finish(&out);
	config_free(config);
}
END_TEST

START_TEST(test_alias_bomb_is_refused)
{
	struct buffer text = {0};
	struct sluice_error error = {0};
	buffer_add_text(&text, "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 12; i++)
		buffer_printf(&text, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1, i - 1,
		              i - 1, i - 1, i - 1, i - 1, i - 1);
	ck_assert_ptr_null(load(text.data, NULL, &error));
	ck_assert_msg(strstr(error.text, "the limit of 20000 values") != NULL, "%s", error.text);
	buffer_finish(&text);
}
END_TEST

START_TEST(test_deep_nesting_is_refused)
{
	struct buffer text = {0};
	struct sluice_error error = {0};
	for (int i = 0; i < 100000; i++)
		buffer_add_text(&text, "[");
	ck_assert_ptr_null(load(text.data, NULL, &error));
	ck_assert_msg(strstr(error.text, ":1:17: more than 16 levels") != NULL, "%s", error.text);
	buffer_finish(&text);
}
END_TEST

START_TEST(test_same_pipeline_has_the_same_fingerprint)
{
	struct sluice_error error = {0};
	const char *const port[] = {"listen.port=5001", NULL};
	const char *block = "pipeline: p\nlisten:\n  port: 5000\nstages:\n- persist: config_batch\n  url: x\n";
	struct config *one = load(block, NULL, &error);
	struct config *same = load("{pipeline: p, stages: [{persist: config_batch, url: \"x\"}]}", NULL, &error);
	struct config *other = load(block, port, &error);
	ck_assert_msg(one && same && other, "%s", error.text);
	ck_assert_str_eq(one->sha256, same->sha256);
	ck_assert_str_ne(one->sha256, other->sha256);
	config_free(one);
	config_free(same);
	config_free(other);
}
END_TEST

static const struct {
	const char *file, *enable;
} shipped[] = {
	{"quickstart.yaml", NULL},
	{"postgres.yaml", NULL},
	{"postgres.yaml", "pool-tuning,workers,keep-alive"},
	{"github.yaml", NULL},
	{"standard-webhooks.yaml", NULL},
};

START_TEST(test_shipped_pipeline_is_good)
{
	struct sluice_error error = {0};
	(void)clearenv();
	(void)setenv("DB_URL", "postgresql://localhost/webhooks", 1);
	(void)setenv("WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1);
	struct config_request request = {
		.file = shipped[_i].file, .enable = shipped[_i].enable, .stage_path = TEST_BUILD_DIR "/stages"};
	ck_assert_int_eq(chdir(TEST_SOURCE_DIR "/pipelines"), 0);
	struct config *config = config_load(&request, &error);
	ck_assert_msg(config != NULL, "%s", error.text);
	ck_assert_int_eq(strncmp(config->name, shipped[_i].file, strlen(config->name)), 0);
	config_free(config);
}
END_TEST

static int is_case(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static Suite *make_suite(void)
{
	case_count = scandir(CASES, &cases, is_case, alphasort);
	Suite *suite = suite_create("config");
	TCase *golden = tcase_create("golden");
	tcase_add_test(golden, test_there_are_cases);
	tcase_add_loop_test(golden, test_golden_case_comes_out_as_expected, 0, case_count);
	suite_add_tcase(suite, golden);
	TCase *whole = tcase_create("whole");
	tcase_add_test(whole, test_what_is_left_out_has_its_default);
	tcase_add_test(whole, test_pin_that_fits_is_printed_and_reads_back);
	tcase_add_test(whole, test_pin_that_does_not_fit_is_refused_at_its_place);
	tcase_add_test(whole, test_pin_goes_with_the_implementation_it_was_made_for);
	tcase_add_test(whole, test_networks_and_public_url_are_ready_to_match);
	tcase_add_test(whole, test_missing_file_is_named);
	tcase_add_test(whole, test_folder_is_no_file);
	tcase_add_test(whole, test_file_of_megabytes_is_refused);
	tcase_add_test(whole, test_secret_is_in_no_error_and_no_print);
	tcase_add_test(whole, test_alias_bomb_is_refused);
	tcase_add_test(whole, test_deep_nesting_is_refused);
	tcase_add_test(whole, test_same_pipeline_has_the_same_fingerprint);
	tcase_add_loop_test(whole, test_shipped_pipeline_is_good, 0, sizeof(shipped) / sizeof(shipped[0]));
	suite_add_tcase(suite, whole);
	return suite;
}

UNIT_SUITE(test_config, make_suite)
