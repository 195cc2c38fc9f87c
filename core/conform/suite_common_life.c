/*
 * What every stage promises of its table, its options and its life from create() to destroy().
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buffer.h"
#include "conform/check.h"
#include "conform/leak.h"
#include "conform/sample.h"
#include "conform/suite_common.h"
#include "yaml/option.h"
#include "yaml/quantity.h"

enum { CYCLES = 50, LONG_LIFE = 3000 /* events */, LONG_CYCLES = 2, LONG_NOISE = 32768 /* bytes */ };

bool common_is_name(const char *text)
{
	if (!text || !islower((unsigned char)*text))
		return false;
	for (; *text; text++) {
		if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) && !strchr("_.-", *text))
			return false;
	}
	return true;
}

/* A summary and a help are phrases: they stand in tables and after colons. */
static bool is_phrase(const char *text)
{
	return text && *text && text[strlen(text) - 1] != '.' && !strchr(text, '\n');
}

void common_has_a_sound_table(struct check *check)
{
	const struct sluice_stage_ops *ops = check_ops(check);
	check_that(check, common_is_name(ops->name), "name: expected lower-case letters, digits and _, got \"%s\"",
	           ops->name);
	check_that(check, ops->version && *ops->version, "version: expected the version of the stage, got nothing");
	check_that(check, is_phrase(ops->summary), "summary: expected a phrase without a full stop, got \"%s\"",
	           ops->summary ? ops->summary : "");
	for (const struct sluice_option *option = ops->options; option->type != SLUICE_TYPE_END; option++) {
		check_that(check, common_is_name(option->name), "option %s: expected a lower-case name", option->name);
		check_that(check, is_phrase(option->help),
		           "option %s: help: expected a phrase without a full stop, got \"%s\"", option->name,
		           option->help ? option->help : "");
	}
}

void common_proves_itself(struct check *check)
{
	const struct sluice_stage_ops *ops = check_ops(check);
	if (!ops->self_test)
		check_skip(check, "it has no self_test()");
	for (int i = 0; i < 2; i++) {
		struct sluice_error error = {0};
		check_that(check, ops->self_test(&error), "self_test() failed: %s", error.text);
	}
}

/* A stage as it is opened again in each round, with an event or two inside. */
static void live_once(struct check *check, void *context, size_t round)
{
	(void)context;
	struct bench *bench = check_open(check);
	for (unsigned long i = 0; sample_is_processed(check) && i < 2; i++)
		(void)sample_run(check, bench, sample_event(check, bench, (2 * round + i) % SAMPLE_SORTS));
	bench_close(bench);
}

/* Long enough for tables to grow. */
static void live_long(struct check *check, void *context, size_t round)
{
	(void)context;
	struct bench *bench = check_open(check);
	for (unsigned long i = 0; i < LONG_LIFE; i++)
		(void)sample_run(check, bench, sample_event(check, bench, round * LONG_LIFE + i));
	bench_close(bench);
}

void common_destroys_what_it_creates(struct check *check)
{
	/* The bound on what may be left is one for each time where a store is on a network: a few show as much. */
	size_t cycles = check_option(check, "url") ? check_effort(check, CYCLES * 2 / 5, CYCLES, CYCLES) : CYCLES;
	leak_expect_none(check, cycles, live_once, NULL, "create() and destroy()");
	bool has_time = check_effort(check, 0, 1, 1) && !check_option(check, "url");
	if (has_time && check_ops(check)->kind <= SLUICE_KIND_IDEMPOTENCY)
		leak_expect_at_most(check, LONG_NOISE, LONG_CYCLES, live_long, NULL,
		                    "create(), many events and destroy()");
}

/* No descriptor more than there are. */
static struct rlimit forbid_descriptors(void)
{
	struct rlimit before, now;
	int next = dup(STDIN_FILENO);
	(void)close(next);
	(void)getrlimit(RLIMIT_NOFILE, &before);
	now = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
	(void)setrlimit(RLIMIT_NOFILE, &now);
	return before;
}

/* Creates the stage so that it should fail, with a setting or, with NULL, without descriptors; false if it does not. */
static bool fails_with(struct check *check, const char *setting)
{
	struct sluice_error error = {0};
	struct rlimit before;
	if (!setting)
		before = forbid_descriptors();
	struct bench *bench = check_try(check, setting ? (const char *[]){setting, NULL} : NULL, &error);
	if (!setting)
		(void)setrlimit(RLIMIT_NOFILE, &before);
	if (bench)
		bench_close(bench);
	return !bench;
}

static void fail_once(struct check *check, void *setting, size_t round)
{
	(void)round;
	check_that(check, fails_with(check, setting),
	           "create() failed at first and then succeeded with the same options");
}

static void fail_often(struct check *check, char *setting)
{
	struct buffer what = {0};
	buffer_printf(&what, "a failing create() %s%s", setting ? "with " : "without descriptors",
	              setting ? setting : "");
	leak_expect_none(check, CYCLES, fail_once, setting, what.data);
	buffer_finish(&what);
}

/* Nothing can be made below a file, nobody listens on port 1. */
static const char *const bad_texts[] = {"/dev/null/conform", "postgresql://conform@127.0.0.1:1/conform"};

void common_fails_without_trace(struct check *check)
{
	int ways = 0;
	for (const struct sluice_option *option = check_ops(check)->options; option->type != SLUICE_TYPE_END;
	     option++) {
		if (option->type != SLUICE_TYPE_STRING && option->type != SLUICE_TYPE_STRINGS)
			continue;
		for (size_t i = 0; i < sizeof(bad_texts) / sizeof(bad_texts[0]); i++) {
			struct buffer setting = {0};
			buffer_printf(&setting, "%s=%s", option->name, bad_texts[i]);
			if (fails_with(check, setting.data)) {
				fail_often(check, setting.data);
				ways++;
			}
			buffer_finish(&setting);
		}
	}
	if (fails_with(check, NULL)) {
		fail_often(check, NULL);
		ways++;
	}
	if (ways == 0)
		check_skip(check, "conform knows no way to make its create() fail");
}

/* The bound as the option takes it; false for types that have none. */
static bool print_bound(const struct sluice_option *option, int64_t bound, struct buffer *out)
{
	buffer_printf(out, "%s=", option->name);
	switch (option->type) {
	case SLUICE_TYPE_INT:
		buffer_printf(out, "%lld", (long long)bound);
		return true;
	case SLUICE_TYPE_SIZE:
		quantity_print_size((uint64_t)bound, out);
		return true;
	case SLUICE_TYPE_DURATION:
		quantity_print_duration(bound, out);
		return true;
	case SLUICE_TYPE_PERCENT:
		buffer_printf(out, "%lld%%", (long long)bound);
		return true;
	default:
		return false;
	}
}

/* Whether a refusal says which of the options will not do: two may exclude each other. */
static bool names_an_option(const struct sluice_stage_ops *ops, const char *sentence)
{
	for (const struct sluice_option *option = ops->options; option->type != SLUICE_TYPE_END; option++) {
		if (strstr(sentence, option->name))
			return true;
	}
	return false;
}

static void try_setting(struct check *check, const char *setting)
{
	const struct sluice_stage_ops *ops = check_ops(check);
	struct sluice_error error = {0};
	struct bench *bench = check_try(check, (const char *[]){setting, NULL}, &error);
	/* A store may have its own reasons, which come from where it is connected to. */
	check_that(
		check, bench || ops->kind == SLUICE_KIND_PERSIST || names_an_option(ops, error.text),
		"%s is within its bounds: expected it to be accepted, or rejected with the name of the option, got: %s",
		setting, error.text);
	for (unsigned long i = 0; bench && ops->kind <= SLUICE_KIND_IDEMPOTENCY && i < SAMPLE_SORTS; i++)
		(void)sample_run(check, bench, sample_event(check, bench, i));
	if (bench)
		bench_close(bench);
}

void common_takes_its_bounds(struct check *check)
{
	const struct sluice_option *option = check_ops(check)->options;
	for (; option->type != SLUICE_TYPE_END; option++) {
		const int64_t ends[] = {option->min, option->max};
		for (size_t i = 0; (option->min || option->max) && i < 2; i++) {
			struct buffer setting = {0};
			if (print_bound(option, ends[i], &setting))
				try_setting(check, setting.data);
			buffer_finish(&setting);
		}
		for (size_t i = 0; option->type == SLUICE_TYPE_CHOICE && option->choices[i]; i++) {
			struct buffer setting = {0};
			buffer_printf(&setting, "%s=%s", option->name, option->choices[i]);
			try_setting(check, setting.data);
			buffer_finish(&setting);
		}
	}
}

/* Whether one of the words in the name, or its plural, is in the list. */
static bool has_word(const char *name, const char *const *words)
{
	for (const char *word = name; *word;) {
		size_t size = strcspn(word, "_.-");
		size_t singular = size > 1 && word[size - 1] == 's' ? size - 1 : size;
		for (size_t i = 0; words[i]; i++) {
			size_t length = strlen(words[i]);
			if ((size == length || singular == length) && strncmp(word, words[i], length) == 0)
				return true;
		}
		word += size + (word[size] != '\0');
	}
	return false;
}

/* What is told of a secret may be shown: where it is, what it is called. */
void common_names_its_secrets(struct check *check)
{
	static const char *const secret[] = {"key",        "token",  "secret",     "password", "passwd",
	                                     "credential", "apikey", "passphrase", NULL};
	static const char *const about[] = {"file",   "path",     "id",   "name",   "header", "prefix",
	                                    "scheme", "encoding", "type", "format", NULL};
	for (const struct sluice_option *option = check_ops(check)->options; option->type != SLUICE_TYPE_END;
	     option++) {
		bool is_text = option->type == SLUICE_TYPE_STRING || option->type == SLUICE_TYPE_STRINGS;
		if (!is_text || (option->flags & (SLUICE_OPTION_SECRET | SLUICE_OPTION_FILE | SLUICE_OPTION_LOCATION)))
			continue;
		check_that(
			check, !has_word(option->name, secret) || has_word(option->name, about),
			"the option %s looks like a secret and has no SLUICE_OPTION_SECRET: its value would be printed; "
			"mark it, or call it by another name",
			option->name);
	}
}

/* Values for secret options; what must not be seen is in all of them. */
#define MARK "Y29uZm9ybS1tYXJr" /* also base64 */
static const char *const marked[] = {
	MARK, "whsec_" MARK, "postgresql://conform:" MARK "@127.0.0.1:1/conform", "/dev/null/" MARK, MARK " " MARK "='",
};

static void expect_unseen(struct check *check, const char *secret, const char *text, const char *where)
{
	check_that(check, !strstr(text, secret), "the value of a secret option was found in %s", where);
}

static void expect_unseen_anywhere(struct check *check, const char *secret, struct bench *bench)
{
	static const char *const outputs[] = {"its log", "a reason or a response header", "what observe() shows",
	                                      "what stats() shows", "what the process printed"};
	struct sluice_error error = {0};
	char *figures = bench_maintenance(bench->ops)->stats ? bench_stats(bench, &error) : NULL;
	char *texts[] = {bench_take_log(), bench_take_sentences(), bench_observe(bench),
	                 figures ? figures : strdup(error.text), check_get_output(check)};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		expect_unseen(check, secret, texts[i], outputs[i]);
		free(texts[i]);
	}
}

/* Each item of a list is a secret of its own. */
static void expect_values_unseen(struct check *check, const char *values, struct bench *bench)
{
	char *copy = strdup(values), *rest = copy;
	for (char *item; (item = strsep(&rest, ", "));) {
		if (strlen(item) > 3)
			expect_unseen_anywhere(check, item, bench);
	}
	free(copy);
}

static void look_for_secret(struct check *check, const struct sluice_option *option, const char *value)
{
	struct buffer setting = {0};
	struct sluice_error error = {0};
	buffer_printf(&setting, "%s=%s", option->name, value);
	struct bench *bench = check_try(check, (const char *[]){setting.data, NULL}, &error);
	expect_unseen(check, MARK, error.text, "the error that rejects it");
	buffer_finish(&setting);
	if (!bench)
		return;
	for (unsigned long i = 0; sample_is_processed(check) && i < 2 * SAMPLE_SORTS; i++)
		(void)sample_run(check, bench, sample_event(check, bench, i));
	expect_unseen_anywhere(check, MARK, bench);
	bench_close(bench);
}

void common_keeps_its_secrets(struct check *check)
{
	int count = 0;
	for (const struct sluice_option *option = check_ops(check)->options; option->type != SLUICE_TYPE_END;
	     option++) {
		if (!(option->flags & SLUICE_OPTION_SECRET))
			continue;
		count++;
		for (size_t i = 0; i < sizeof(marked) / sizeof(marked[0]); i++)
			look_for_secret(check, option, marked[i]);
		const char *given = check_option(check, option->name);
		if (!given)
			continue;
		struct bench *bench = check_open(check);
		for (unsigned long i = 0; sample_is_processed(check) && i < 2 * SAMPLE_SORTS; i++)
			(void)sample_run(check, bench, sample_event(check, bench, i));
		expect_values_unseen(check, given, bench);
		bench_close(bench);
	}
	if (count == 0)
		check_skip(check, "it has no secret option");
}
