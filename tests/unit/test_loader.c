/*
 * The loader: what it takes, and what it says to what it refuses.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "runtime/abi.h"
#include "runtime/loader.h"
#include "support/harness.h"
#include "support/scratch.h"
#include "support/unit.h"

#define FIXTURES TEST_BUILD_DIR "/tests/stages"
#define STAGES TEST_BUILD_DIR "/stages"
#define VERSION_TEXT "1.0"
#define OLD_BINARY TEST_SOURCE_DIR "/tests/fixtures/abi-1.0/older_minor.so"
#define UNRELEASED_BINARY TEST_SOURCE_DIR "/tests/fixtures/abi-1.0/unreleased.so"

static char folder[SCRATCH_SIZE];

static void make_folder(void)
{
	scratch_folder(folder);
}

static void remove_folder(void)
{
	struct buffer command = {0};
	buffer_printf(&command, "rm -r '%s'", folder);
	ck_assert_int_eq(system(command.data), 0);
	buffer_finish(&command);
}

/* A path in the temporary folder; its parent folders are made. */
static const char *place(const char *name)
{
	static char path[512];
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0700);
		*slash = '/';
	}
	return path;
}

static void read_all(const char *path, struct buffer *out)
{
	FILE *file = fopen(path, "rb");
	ck_assert_msg(file != NULL, "%s is missing", path);
	char part[4096];
	for (size_t size; (size = fread(part, 1, sizeof(part), file)) > 0;)
		buffer_add(out, part, size);
	(void)fclose(file);
}

/* Writes in place, as `cp` does. */
static const char *write_file(const char *name, const void *data, size_t size)
{
	const char *path = place(name);
	FILE *file = fopen(path, "wb");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(data, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
	return path;
}

static const char *copy_file(const char *from, const char *name, size_t at_most)
{
	struct buffer bytes = {0};
	read_all(from, &bytes);
	const char *path = write_file(name, bytes.data, bytes.size < at_most ? bytes.size : at_most);
	buffer_finish(&bytes);
	return path;
}

static void assert_refused(const char *file, const char *why)
{
	struct sluice_error error = {0};
	ck_assert_msg(loader_open_file(file, &error) == NULL, "%s was loaded", file);
	struct buffer expected = {0};
	buffer_printf(&expected, "%s: %s", file, why);
	ck_assert_str_eq(error.text, expected.data);
	buffer_finish(&expected);
}

START_TEST(test_a_stage_without_options_has_an_empty_table)
{
	struct sluice_error error = {0};
	struct plugin *plugin = loader_open_file(FIXTURES "/auth/scripted.so", &error);
	ck_assert_msg(plugin != NULL, "%s", error.text);
	ck_assert_int_eq(plugin->ops.options->type, SLUICE_TYPE_END);
	loader_close(plugin);
}
END_TEST

START_TEST(test_stage_is_loaded_with_its_table_and_hash)
{
	char *path[] = {STAGES, NULL};
	struct sluice_error error = {0};
	struct plugin *plugin = loader_open(path, SLUICE_KIND_AUTH, "none", &error);
	ck_assert_msg(plugin != NULL, "%s", error.text);
	ck_assert_str_eq(plugin->ops.name, "none");
	ck_assert_str_eq(plugin->path, STAGES "/auth/none.so");
	uint8_t digest[SLUICE_DIGEST_SIZE];
	char hex[DIGEST_HEX_SIZE];
	ck_assert(digest_file(STAGES "/auth/none.so", digest, &error));
	digest_hex(digest, hex);
	ck_assert_str_eq(plugin->sha256, hex);
	loader_close(plugin);
}
END_TEST

START_TEST(test_newer_major_is_refused)
{
	assert_refused(FIXTURES "/auth/newer_major.so",
	               "is built for stage ABI 2.0, this sluice supports " VERSION_TEXT
	               ": update sluice, or rebuild the stage against this sluice's headers");
}
END_TEST

START_TEST(test_newer_minor_is_refused)
{
	assert_refused(FIXTURES "/auth/newer_minor.so",
	               "is built for stage ABI 1.99, this sluice supports " VERSION_TEXT
	               ": update sluice, or rebuild the stage against this sluice's headers");
}
END_TEST

/* Runs the fixture of ABI 1.0 through all that it does. */
static void use_older_minor(const char *file)
{
	struct harness *h = harness_open(SLUICE_KIND_AUTH, file, (const char *[]){"limit=1", NULL});
	ck_assert_uint_eq(h->ops->abi_minor, 0);
	ck_assert_str_eq(h->ops->options[1].unit, "requests");
	ck_assert_int_eq(h->ops->options[3].type, SLUICE_TYPE_END);

	struct sluice_event *event = harness_event(h);
	ck_assert_int_eq(harness_process(h, event), SLUICE_REJECT);
	ck_assert_int_eq(harness_status(event), 401);
	ck_assert_str_eq(harness_detail(event), "the word is not known");
	harness_header(event, "x-word", "b");
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
	ck_assert_ptr_nonnull(*sluice_local(&h->stage, event));
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	ck_assert_int_eq(harness_delay_ns(event), INT64_C(5000000000));
	harness_free(event);

	char *log = harness_take_log();
	ck_assert_str_eq(log, "info auth/older_minor let_in left=0\n");
	free(log);
	harness_close(h);
}

START_TEST(test_older_minor_runs)
{
	use_older_minor(FIXTURES "/auth/older_minor.so");
}
END_TEST

#ifdef __x86_64__
START_TEST(test_older_minor_built_long_ago_runs)
{
	use_older_minor(OLD_BINARY);
}
END_TEST

/* Its headers called themselves 1.0, too, and were never released. */
START_TEST(test_stage_from_before_the_first_release_is_refused)
{
	assert_refused(UNRELEASED_BINARY,
	               "has a table of 216 bytes with options of 80, which no stage ABI 1.0 has: define it with "
	               "SLUICE_STAGE()");
}
END_TEST
#endif

START_TEST(test_missing_symbol_is_refused)
{
	assert_refused(FIXTURES "/auth/missing_symbol.so",
	               "exports no sluice_stage: end the stage with SLUICE_STAGE()");
}
END_TEST

START_TEST(test_function_in_place_of_the_table_is_refused)
{
	assert_refused(FIXTURES "/auth/function_symbol.so",
	               "exports no sluice_stage: end the stage with SLUICE_STAGE()");
}
END_TEST

START_TEST(test_undefined_symbol_is_refused)
{
	assert_refused(
		FIXTURES "/auth/undefined_symbol.so",
		"cannot be linked: undefined symbol: defined_nowhere: install the missing library, and link the stage with it");
}
END_TEST

START_TEST(test_text_file_is_refused)
{
	assert_refused(write_file("text.so", "a text\n", 7),
	               "is not a shared object: build the stage and name its .so file");
}
END_TEST

START_TEST(test_empty_file_is_refused)
{
	assert_refused(write_file("empty.so", "", 0), "is empty: build or copy it again");
}
END_TEST

START_TEST(test_directory_is_refused)
{
	assert_refused(folder, "is a directory: name a stage's .so file");
}
END_TEST

START_TEST(test_fifo_is_refused_at_once)
{
	const char *path = place("fifo.so");
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	assert_refused(path, "is not a regular file: name a stage's .so file");
}
END_TEST

START_TEST(test_program_is_refused)
{
	struct buffer bytes = {0};
	read_all(FIXTURES "/auth/first.so", &bytes);
	bytes.data[16] = 2; /* e_type: ET_EXEC */
	assert_refused(write_file("program.so", bytes.data, bytes.size),
	               "is not a shared object: link it with -shared");
	buffer_finish(&bytes);
}
END_TEST

START_TEST(test_other_machine_is_refused)
{
	struct buffer bytes = {0};
	read_all(FIXTURES "/auth/first.so", &bytes);
	bytes.data[4] = (char)(bytes.data[4] ^ 3); /* EI_CLASS: 32 or 64 bits */
	assert_refused(write_file("other.so", bytes.data, bytes.size),
	               "is built for another architecture: build it for this one");
	buffer_finish(&bytes);
}
END_TEST

START_TEST(test_file_cut_anywhere_is_refused)
{
	struct buffer bytes = {0};
	read_all(FIXTURES "/auth/first.so", &bytes);
	for (size_t size = 1; size < bytes.size; size += bytes.size / 97) {
		const char *path = write_file("cut.so", bytes.data, size);
		if (size < 4)
			assert_refused(path, "is not a shared object: build the stage and name its .so file");
		else
			assert_refused(path, "is truncated: build or copy it again");
	}
	buffer_finish(&bytes);
}
END_TEST

START_TEST(test_missing_file_is_refused)
{
	assert_refused(place("absent.so"), "does not exist: build it, or correct the path");
}
END_TEST

static void assert_not_found(char *const *path, enum sluice_kind kind, const char *use, const char *sentence)
{
	struct sluice_error error = {0};
	ck_assert_ptr_null(loader_open(path, kind, use, &error));
	ck_assert_str_eq(error.text, sentence);
}

START_TEST(test_unknown_name_is_refused_with_the_nearest_one)
{
	assert_not_found((char *[]){STAGES, FIXTURES, NULL}, SLUICE_KIND_AUTH, "older-minro",
	                 "stage auth/older-minro not found on the stage path " STAGES ":" FIXTURES
	                 "; did you mean \"older_minor\"?");
}
END_TEST

START_TEST(test_name_like_no_other_is_refused_with_the_way_out)
{
	assert_not_found((char *[]){STAGES, NULL}, SLUICE_KIND_AUTH, "zzzzzzz",
	                 "stage auth/zzzzzzz not found on the stage path " STAGES
	                 ": build it there, or give the path of its .so file");
}
END_TEST

START_TEST(test_stage_of_another_kind_is_refused)
{
	assert_not_found((char *[]){STAGES, NULL}, SLUICE_KIND_PARSE, STAGES "/auth/none.so",
	                 STAGES "/auth/none.so: is a stage of kind auth, not parse: give it under \"auth:\"");
}
END_TEST

START_TEST(test_replaced_file_brings_the_new_code_while_the_old_runs_on)
{
	struct sluice_error error = {0};
	const char *path = copy_file(FIXTURES "/auth/first.so", "replaced.so", SIZE_MAX);
	struct plugin *first = loader_open_file(path, &error);
	copy_file(FIXTURES "/auth/second.so", "replaced.so", SIZE_MAX);
	struct plugin *second = loader_open_file(path, &error);
	ck_assert_msg(first && second, "%s", error.text);
	ck_assert_str_eq(first->ops.summary, "the first");
	ck_assert_str_eq(second->ops.summary, "the second");
	ck_assert_str_ne(first->sha256, second->sha256);
	loader_close(first);
	ck_assert_int_eq(second->ops.of.auth->process(NULL, NULL), SLUICE_PASS);
	loader_close(second);
}
END_TEST

static void hash_file(const char *path, char hex[DIGEST_HEX_SIZE])
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	ck_assert(digest_file(path, digest, NULL));
	digest_hex(digest, hex);
}

START_TEST(test_pinned_file_is_loaded_while_it_has_that_content)
{
	char *none[] = {NULL};
	char hex[DIGEST_HEX_SIZE];
	struct sluice_error error = {0};
	hash_file(FIXTURES "/auth/first.so", hex);
	struct loader_pin pin = {.sha256 = hex};
	struct plugin *plugin = loader_open_pinned(none, SLUICE_KIND_AUTH, FIXTURES "/auth/first.so", &pin, &error);
	ck_assert_msg(plugin != NULL, "%s", error.text);
	ck_assert(!pin.refused);
	ck_assert_str_eq(plugin->sha256, hex);
	loader_close(plugin);
}
END_TEST

/* The file cannot be linked either: that it is not even tried shows that none of its code would have run. */
START_TEST(test_pinned_file_with_another_content_is_refused_before_it_is_linked)
{
	char *none[] = {NULL};
	const char *file = FIXTURES "/auth/undefined_symbol.so";
	char pinned[DIGEST_HEX_SIZE], has[DIGEST_HEX_SIZE];
	struct sluice_error error = {0};
	struct buffer expected = {0};
	hash_file(FIXTURES "/auth/first.so", pinned);
	hash_file(file, has);
	struct loader_pin pin = {.sha256 = pinned};
	ck_assert_ptr_null(loader_open_pinned(none, SLUICE_KIND_AUTH, file, &pin, &error));
	ck_assert(pin.refused);
	buffer_printf(
		&expected,
		"%s: has SHA-256 %s, but is pinned to %s: restore that file, or change the pin if you trust this one",
		file, has, pinned);
	ck_assert_str_eq(error.text, expected.data);
	buffer_finish(&expected);
}
END_TEST

START_TEST(test_pinned_file_that_is_missing_is_not_refused_for_its_content)
{
	char *none[] = {NULL};
	struct sluice_error error = {0};
	struct loader_pin pin = {.sha256 = "00"};
	ck_assert_ptr_null(loader_open_pinned(none, SLUICE_KIND_AUTH, "./absent.so", &pin, &error));
	ck_assert(!pin.refused);
	ck_assert_str_eq(error.text, "./absent.so: does not exist: build it, or correct the path");
}
END_TEST

START_TEST(test_first_folder_of_the_path_wins)
{
	copy_file(FIXTURES "/auth/first.so", "one/auth/same.so", SIZE_MAX);
	copy_file(FIXTURES "/auth/second.so", "two/auth/same.so", SIZE_MAX);
	struct buffer option = {0};
	buffer_printf(&option, "%s/two::%s/one", folder, folder);
	char **path = loader_stage_path(option.data);
	struct sluice_error error = {0};
	struct plugin *plugin = loader_open(path, SLUICE_KIND_AUTH, "same", &error);
	ck_assert_msg(plugin != NULL, "%s", error.text);
	ck_assert_str_eq(plugin->ops.summary, "the second");
	loader_close(plugin);
	loader_free_path(path);
	buffer_finish(&option);
}
END_TEST

static void note_file(void *context, enum sluice_kind kind, const char *file)
{
	buffer_printf(context, "%s %s\n", kind_names[kind], file + strlen(folder));
}

START_TEST(test_list_is_in_order_and_without_the_hidden)
{
	write_file("one/queue/b.so", "", 0);
	write_file("one/auth/c.so", "", 0);
	write_file("one/auth/readme.txt", "", 0);
	write_file("two/auth/a.so", "", 0);
	write_file("two/auth/c.so", "", 0);
	struct buffer option = {0}, seen = {0};
	buffer_printf(&option, "%s/one:%s/two:%s/none", folder, folder, folder);
	char **path = loader_stage_path(option.data);
	loader_list(path, note_file, &seen);
	ck_assert_str_eq(seen.data, "auth /two/auth/a.so\nauth /one/auth/c.so\nqueue /one/queue/b.so\n");
	loader_free_path(path);
	buffer_finish(&option);
	buffer_finish(&seen);
}
END_TEST

START_TEST(test_path_comes_from_the_environment_unless_given)
{
	ck_assert_int_eq(setenv("SLUICE_STAGE_PATH", "/a:/b", 1), 0);
	char **path = loader_stage_path(NULL);
	ck_assert_str_eq(path[0], "/a");
	ck_assert_str_eq(path[1], "/b");
	ck_assert_ptr_null(path[2]);
	loader_free_path(path);
	path = loader_stage_path("/c");
	ck_assert_str_eq(path[0], "/c");
	ck_assert_ptr_null(path[1]);
	loader_free_path(path);
	ck_assert_int_eq(unsetenv("SLUICE_STAGE_PATH"), 0);
	path = loader_stage_path(NULL);
	ck_assert_ptr_nonnull(strstr(path[0], "/stages"));
	ck_assert_ptr_nonnull(strstr(path[1], "/plugins"));
	loader_free_path(path);
}
END_TEST

/* Tables that break one rule each. */
static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage, (void)event;
	return SLUICE_PASS;
}

static void store(struct sluice_stage *stage, struct sluice_batch *batch)
{
	(void)stage, (void)batch;
}

static size_t take(struct sluice_stage *stage, struct sluice_event **events, size_t max)
{
	(void)stage, (void)events, (void)max;
	return 0;
}

static void done(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	(void)stage, (void)event, (void)verdict;
}

static bool scan(struct sluice_stage *stage, int64_t after_id, sluice_record_fn each, void *context,
                 struct sluice_error *error)
{
	(void)stage, (void)after_id, (void)each, (void)context, (void)error;
	return true;
}

static bool on_store(struct sluice_stage *stage, struct sluice_error *error)
{
	(void)stage, (void)error;
	return true;
}

struct numbers {
	int64_t one, two;
	int choice;
	const char *text, *other;
};

#define NUMBER(...) SLUICE_OPTION_INT(struct numbers, two, __VA_ARGS__)
#define TEXT(field, ...) SLUICE_OPTION_STRING(struct numbers, field, __VA_ARGS__)
#define OPTIONS(...)                                                                                                   \
	.config_size = sizeof(struct numbers), .options = (struct sluice_option[])                                     \
	{                                                                                                              \
		__VA_ARGS__, SLUICE_OPTION_END                                                                         \
	}
static const struct sluice_auth_ops auth = {.process = process};
static const struct sluice_parse_ops no_parse;
static const struct sluice_queue_ops no_done = {.put = process, .take = take};
static const struct sluice_queue_ops no_recover = {
	.put = process, .take = take, .done = done, .flags = SLUICE_QUEUE_DURABLE};
static const struct sluice_persist_ops no_store, persist = {.store = store, .scan = scan}, no_scan = {.store = store};
static const struct sluice_store_maintenance dropping = {.drop = on_store};
static const struct sluice_extension extensions[] = {{SLUICE_STORE_MAINTENANCE, &dropping}, SLUICE_EXTENSION_END};
static const struct sluice_write_only to_nobody = {.where = "to nobody"}, to_nowhere;
static const struct sluice_extension sink[] = {{SLUICE_WRITE_ONLY, &to_nobody}, SLUICE_EXTENSION_END};
static const struct sluice_extension silent_sink[] = {{SLUICE_WRITE_ONLY, &to_nowhere}, SLUICE_EXTENSION_END};

#define NAMED .name = "x", .version = "1", .summary = "x"
#define AUTH .kind = SLUICE_KIND_AUTH, .of.auth = &auth, NAMED
#define QUEUE(table) .kind = SLUICE_KIND_QUEUE, .of.queue = &(table), NAMED
#define PERSIST(table) .kind = SLUICE_KIND_PERSIST, .of.persist = &(table), NAMED

START_TEST(test_table_that_breaks_a_rule_is_refused)
{
	static const struct sluice_option no_options[] = {SLUICE_OPTION_END};
	const struct {
		struct sluice_stage_ops ops;
		const char *sentence;
	} cases[] = {
		{{.kind = SLUICE_KIND_AUTH, .of.auth = &auth, .version = "1", .summary = "x"},
	         "has a table without a name, a version or a summary: give it all three"},
		{{.kind = SLUICE_KIND_PARSE, .of.parse = &no_parse, NAMED},
	         "has no process(), which a stage of kind parse must have"},
		{{QUEUE(no_done)}, "has no done(), which a stage of kind queue must have"},
		{{QUEUE(no_recover)}, "declares itself durable but has no recover()"},
		{{PERSIST(no_store)}, "has no store(), which a stage of kind persist must have"},
		{{PERSIST(no_scan)},
	         "has no scan(), so nobody could verify what it has stored: write one, or declare "
	         "SLUICE_WRITE_ONLY if it keeps nothing that could be read"},
		{{PERSIST(persist), .extensions = sink}, "has scan() and declares SLUICE_WRITE_ONLY: choose one"},
		{{PERSIST(no_scan), .extensions = silent_sink},
	         "declares SLUICE_WRITE_ONLY without saying where the events go"},
		{{PERSIST(persist), .spans = (const char *const[]){"a", "b", "c", "d", "e", NULL}},
	         "declares 5 spans: at most 4 can be timed"},
		{{AUTH, OPTIONS(NUMBER(.help = "x"))}, "has an option without a name"},
		{{AUTH, OPTIONS(NUMBER(.name = "a..b"))},
	         "has a wrong option table: a..b is not a name: use lower-case letters, digits and underscores, with dots "
	         "between groups"},
		{{AUTH, OPTIONS(NUMBER(.name = "${X}"))},
	         "has a wrong option table: ${X} is not a name: use lower-case letters, digits and underscores, with dots "
	         "between groups"},
		{{AUTH, OPTIONS(NUMBER(.name = "sha256"))},
	         "has a wrong option table: sha256 is a key of the core: choose another name"},
		{{AUTH, OPTIONS(NUMBER(.name = "parse"))},
	         "has a wrong option table: parse is a key of the core: choose another name"},
		{{AUTH, OPTIONS(NUMBER(.name = "n"), NUMBER(.name = "m"), NUMBER(.name = "n"))},
	         "has a wrong option table: n is in the table twice"},
		{{AUTH, .config_size = 8, .options = (struct sluice_option[]){NUMBER(.name = "n"), SLUICE_OPTION_END}},
	         "has a wrong option table: n lies outside the config struct: set .config_size to its size"},
		{{AUTH, .options = (struct sluice_option[]){NUMBER(.name = "n"), SLUICE_OPTION_END}},
	         "has a wrong option table: n lies outside the config struct: set .config_size to its size"},
		{{AUTH, OPTIONS({.type = (enum sluice_option_type)99, .name = "n"})},
	         "has a wrong option table: n is of a type that this sluice does not know"},
		{{AUTH, OPTIONS(SLUICE_OPTION_CHOICE(struct numbers, choice, .name = "n"))},
	         "has a wrong option table: n has no .choices"},
		{{AUTH, OPTIONS(NUMBER(.name = "n", .fallback = "1", .flags = SLUICE_OPTION_REQUIRED))},
	         "has a wrong option table: n is both required and has a default: choose one"},
		{{PERSIST(persist), .extensions = extensions},
	         "has drop() but no option with SLUICE_OPTION_LOCATION that names what to drop"},
		{{PERSIST(persist), OPTIONS(NUMBER(.name = "n", .flags = SLUICE_OPTION_LOCATION))},
	         "has a wrong option table: n is a location: only a STRING of a persist stage can be one"},
		{{AUTH, OPTIONS(TEXT(text, .name = "n", .flags = SLUICE_OPTION_LOCATION))},
	         "has a wrong option table: n is a location: only a STRING of a persist stage can be one"},
		{{PERSIST(persist), OPTIONS(TEXT(text, .name = "n", .flags = SLUICE_OPTION_LOCATION),
	                                    TEXT(other, .name = "m", .flags = SLUICE_OPTION_LOCATION))},
	         "has a wrong option table: m is a second location: a stage has at most one"},
		{{AUTH, OPTIONS(NUMBER(.name = "n", .flags = SLUICE_OPTION_FILE))},
	         "has a wrong option table: n is a file: only a STRING can be one"},
		{{AUTH, OPTIONS(NUMBER(.name = "n", .fallback = "0", .min = 1, .max = 9))},
	         "has a wrong option table: n: the stage's own default is wrong: expected 1..9, got 0"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_stage_ops ops = cases[i].ops;
		if (!ops.options)
			ops.options = no_options;
		struct sluice_error error = {0};
		ck_assert_msg(!abi_check(&ops, &error), "case %zu was taken: %s", i, cases[i].sentence);
		ck_assert_str_eq(error.text, cases[i].sentence);
	}
}
END_TEST

START_TEST(test_store_that_says_it_keeps_nothing_needs_no_scan)
{
	static const struct sluice_option no_options[] = {SLUICE_OPTION_END};
	struct sluice_error error = {0};
	ck_assert_msg(abi_check(&(struct sluice_stage_ops){PERSIST(no_scan), .options = no_options, .extensions = sink},
	                        &error),
	              "%s", error.text);
}
END_TEST

START_TEST(test_table_of_impossible_size_is_refused)
{
	uint32_t whole = sizeof(struct sluice_stage_ops), option = sizeof(struct sluice_option);
	uint32_t oldest = whole; /* nothing has been added since 1.0 */
	const struct {
		uint32_t size, option_size;
		size_t symbol_size;
	} cases[] = {
		{oldest - 8, option, whole}, {whole + 8, option, whole + 8}, {whole, option, whole - 8},
		{whole, option - 8, whole},  {whole, option + 8, whole},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_stage_ops ops = {AUTH, .abi_major = SLUICE_ABI_MAJOR, .size = cases[i].size,
		                               .option_size = cases[i].option_size, .kind_size = sizeof(auth)};
		struct sluice_stage_ops copy;
		union kind_table kind;
		struct sluice_error error = {0};
		ck_assert_msg(!abi_copy(&copy, &kind, &ops, cases[i].symbol_size, &error), "case %zu was taken", i);
		char sentence[200];
		(void)snprintf(
			sentence, sizeof(sentence),
			"has a table of %u bytes with options of %u, which no stage ABI 1.0 has: define it with SLUICE_STAGE()",
			cases[i].size, cases[i].option_size);
		ck_assert_str_eq(error.text, sentence);
	}
	struct sluice_error error = {0};
	union kind_table kind;
	ck_assert(!abi_copy(&(struct sluice_stage_ops){0}, &kind, "1234", 4, &error));
	ck_assert_str_eq(error.text, "has a sluice_stage that is not a stage table: define it with SLUICE_STAGE()");
}
END_TEST

START_TEST(test_table_of_a_kind_that_does_not_fit_is_refused)
{
	const struct {
		struct sluice_stage_ops ops;
		const char *sentence;
	} cases[] = {
		{{.kind = (enum sluice_kind)7, .of.auth = &auth, .kind_size = sizeof(auth)},
	         "is of kind number 7, which this sluice does not know: update sluice, or define the stage with "
	         "SLUICE_STAGE()"},
		{{.kind = SLUICE_KIND_AUTH, .kind_size = sizeof(auth)},
	         "has a table of kind auth of 0 bytes, which no stage ABI 1.0 has: define it with SLUICE_STAGE()"},
		{{.kind = SLUICE_KIND_AUTH, .of.auth = &auth, .kind_size = 4},
	         "has a table of kind auth of 4 bytes, which no stage ABI 1.0 has: define it with SLUICE_STAGE()"},
		{{.kind = SLUICE_KIND_PERSIST, .of.persist = &persist, .kind_size = 999},
	         "has a table of kind persist of 999 bytes, which no stage ABI 1.0 has: define it with SLUICE_STAGE()"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_stage_ops ops = cases[i].ops, copy;
		ops.abi_major = SLUICE_ABI_MAJOR;
		ops.size = sizeof(ops);
		ops.option_size = sizeof(struct sluice_option);
		union kind_table kind;
		struct sluice_error error = {0};
		ck_assert_msg(!abi_copy(&copy, &kind, &ops, sizeof(ops), &error), "case %zu was taken", i);
		ck_assert_str_eq(error.text, cases[i].sentence);
	}
}
END_TEST

START_TEST(test_copy_of_a_table_points_to_the_copy_of_its_kind)
{
	struct sluice_stage_ops ops = {PERSIST(persist), .abi_major = SLUICE_ABI_MAJOR, .size = sizeof(ops),
	                               .option_size = sizeof(struct sluice_option), .kind_size = sizeof(persist)};
	struct sluice_stage_ops copy;
	union kind_table kind;
	struct sluice_error error = {0};
	ck_assert_msg(abi_copy(&copy, &kind, &ops, ops.size, &error), "%s", error.text);
	ck_assert_ptr_eq(copy.of.persist, &kind.persist);
	ck_assert(copy.of.persist->store == store);
	ck_assert(copy.of.persist->scan == scan);
	ck_assert(!copy.of.persist->audit_scan);
	abi_finish(&copy);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("loader");
	TCase *files = tcase_create("files");
	tcase_add_checked_fixture(files, make_folder, remove_folder);
	tcase_add_test(files, test_stage_is_loaded_with_its_table_and_hash);
	tcase_add_test(files, test_a_stage_without_options_has_an_empty_table);
	tcase_add_test(files, test_newer_major_is_refused);
	tcase_add_test(files, test_newer_minor_is_refused);
	tcase_add_test(files, test_older_minor_runs);
#ifdef __x86_64__
	tcase_add_test(files, test_older_minor_built_long_ago_runs);
	tcase_add_test(files, test_stage_from_before_the_first_release_is_refused);
#endif
	tcase_add_test(files, test_missing_symbol_is_refused);
	tcase_add_test(files, test_function_in_place_of_the_table_is_refused);
	tcase_add_test(files, test_undefined_symbol_is_refused);
	tcase_add_test(files, test_text_file_is_refused);
	tcase_add_test(files, test_empty_file_is_refused);
	tcase_add_test(files, test_directory_is_refused);
	tcase_add_test(files, test_fifo_is_refused_at_once);
	tcase_add_test(files, test_program_is_refused);
	tcase_add_test(files, test_other_machine_is_refused);
	tcase_add_test(files, test_file_cut_anywhere_is_refused);
	tcase_add_test(files, test_missing_file_is_refused);
	tcase_add_test(files, test_unknown_name_is_refused_with_the_nearest_one);
	tcase_add_test(files, test_name_like_no_other_is_refused_with_the_way_out);
	tcase_add_test(files, test_stage_of_another_kind_is_refused);
	tcase_add_test(files, test_replaced_file_brings_the_new_code_while_the_old_runs_on);
	tcase_add_test(files, test_pinned_file_is_loaded_while_it_has_that_content);
	tcase_add_test(files, test_pinned_file_with_another_content_is_refused_before_it_is_linked);
	tcase_add_test(files, test_pinned_file_that_is_missing_is_not_refused_for_its_content);
	tcase_add_test(files, test_first_folder_of_the_path_wins);
	tcase_add_test(files, test_list_is_in_order_and_without_the_hidden);
	tcase_add_test(files, test_path_comes_from_the_environment_unless_given);
	suite_add_tcase(suite, files);
	TCase *tables = tcase_create("tables");
	tcase_add_test(tables, test_table_that_breaks_a_rule_is_refused);
	tcase_add_test(tables, test_store_that_says_it_keeps_nothing_needs_no_scan);
	tcase_add_test(tables, test_table_of_impossible_size_is_refused);
	tcase_add_test(tables, test_table_of_a_kind_that_does_not_fit_is_refused);
	tcase_add_test(tables, test_copy_of_a_table_points_to_the_copy_of_its_kind);
	suite_add_tcase(suite, tables);
	return suite;
}

UNIT_SUITE(test_loader, suite)
