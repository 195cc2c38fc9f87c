/* See model.h. */
#include "conform/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "conform/disk.h"
#include "conform/files.h"

enum { LENGTH = 100 /* operations */, CRASHED = 99, SHORTER_TRIES = 300, SENTENCE_SIZE = 700 };

static const enum sluice_verdict verdicts[] = {SLUICE_PASS, SLUICE_FAIL, SLUICE_RETRY, SLUICE_DONE, SLUICE_REJECT};

struct script {
	const struct model_kind *kind;
	struct model_operation operations[MODEL_OPERATIONS_MAX];
	size_t count;
	unsigned long number;
};

/* In memory that all processes of a run share; what the kind keeps is behind it. */
struct progress {
	size_t next; /* operation */
};

struct run {
	const struct script *script;
	struct progress *progress;
};

static int go_on(struct check *check, int out, void *context)
{
	const struct run *run = context;
	const struct script *script = run->script;
	struct model model = {.check = check, .kept = run->progress + 1, .number = script->number};
	(void)out;
	disk_remember();
	script->kind->begin(&model);
	while (run->progress->next < script->count) {
		const struct model_operation *operation = &script->operations[run->progress->next++];
		script->kind->steps[operation->which].run(&model, operation->arguments);
	}
	script->kind->end(&model);
	return 0;
}

void model_crash(bool by_power_cut)
{
	if (by_power_cut)
		disk_cut_power(CRASHED);
	_exit(CRASHED);
}

/* Whether the stage does as the model; else what it did instead. */
static bool holds(struct check *check, const struct script *script, char sentence[SENTENCE_SIZE])
{
	static size_t worlds;
	char folder[64];
	size_t size = sizeof(struct progress) + script->kind->kept_size;
	struct progress *progress = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct run run = {script, progress};
	int end;
	(void)snprintf(folder, sizeof(folder), "model-%zu", worlds++);
	check_that(check, progress != MAP_FAILED && mkdir(folder, 0700) == 0 && chdir(folder) == 0,
	           "conform: cannot make a folder");
	do
		end = check_in_process_apart(check, go_on, &run, sentence, SENTENCE_SIZE);
	while (end == CRASHED);
	check_that(check, chdir(check_folder(check)) == 0, "conform: cannot go back");
	files_remove(folder);
	(void)munmap(progress, size);
	if (end != 0 && !sentence[0])
		(void)snprintf(sentence, SENTENCE_SIZE, "the process exited with status %d", end);
	return !sentence[0];
}

static uint64_t throw(uint64_t * dice)
{
	*dice ^= *dice << 13;
	*dice ^= *dice >> 7;
	*dice ^= *dice << 17;
	return *dice;
}

static uint8_t pick(const struct model_step *steps, uint64_t *dice)
{
	unsigned sum = steps->weight;
	for (const struct model_step *step = steps + 1; step->name; step++)
		sum += step->weight;
	if (sum == 0)
		return 0;
	unsigned left = (unsigned)(throw(dice) >> 8) % sum;
	uint8_t which = 0;
	for (; left >= steps[which].weight; which++)
		left -= steps[which].weight;
	return which;
}

static void invent(struct script *script, uint64_t seed)
{
	uint64_t dice = (seed + 1) * 0x9e3779b97f4a7c15u;
	script->count = LENGTH;
	for (size_t i = 0; i < LENGTH; i++) {
		struct model_operation *operation = &script->operations[i];
		*operation = (struct model_operation){.which = pick(script->kind->steps, &dice)};
		const uint8_t *limits = script->kind->steps[operation->which].limits;
		for (size_t n = 0; n < MODEL_ARGUMENTS && limits[n]; n++)
			operation->arguments[n] = (uint8_t)((throw(&dice) >> 8) % limits[n]);
	}
}

/* Takes out whatever can be missing, in shorter and shorter parts. */
static void shorten(struct check *check, struct script *script, char sentence[SENTENCE_SIZE])
{
	char other[SENTENCE_SIZE];
	int tries = 0;
	for (size_t part = script->count / 2; part > 0; part /= 2) {
		for (size_t at = 0; at + part <= script->count && tries < SHORTER_TRIES; tries++) {
			struct script shorter = *script;
			memmove(&shorter.operations[at], &shorter.operations[at + part],
			        (script->count - at - part) * sizeof(shorter.operations[0]));
			shorter.count -= part;
			if (holds(check, &shorter, other)) {
				at += part;
				continue;
			}
			*script = shorter;
			(void)snprintf(sentence, SENTENCE_SIZE, "%s", other);
		}
	}
}

static void print_argument(char form, uint8_t value, struct buffer *out)
{
	if (form == 'c')
		buffer_printf(out, ".%c", 'a' + value);
	else if (form == 'v')
		buffer_printf(out, ".%s", verdict_name(verdicts[value]));
	else
		buffer_printf(out, ".%u", value);
}

static void print_script(const struct script *script, struct buffer *out)
{
	for (size_t i = 0; i < script->count; i++) {
		const struct model_operation *operation = &script->operations[i];
		const struct model_step *step = &script->kind->steps[operation->which];
		buffer_printf(out, "%s%s", i ? " " : "", step->name);
		for (size_t n = 0; step->forms[n]; n++)
			print_argument(step->forms[n], operation->arguments[n], out);
	}
}

/* False: it is not what print_argument() writes. */
static bool read_argument(char form, const char *text, uint8_t *value_out)
{
	unsigned number;
	if (form == 'c') {
		*value_out = (uint8_t)(*text - 'a');
		return *text >= 'a' && *text <= 'z' && !text[1];
	}
	for (size_t i = 0; form == 'v' && i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		*value_out = (uint8_t)i;
		if (strcmp(text, verdict_name(verdicts[i])) == 0)
			return true;
	}
	*value_out = 0;
	if (form == 'v' || sscanf(text, "%3u", &number) != 1)
		return false;
	*value_out = (uint8_t)number;
	return true;
}

static bool read_operation(const struct model_kind *kind, char *word, struct model_operation *operation_out)
{
	const char *name = strsep(&word, "."), *text;
	const struct model_step *step = kind->steps;
	while (step->name && strcmp(step->name, name) != 0)
		step++;
	if (!step->name)
		return false;
	*operation_out = (struct model_operation){.which = (uint8_t)(step - kind->steps)};
	for (size_t n = 0; step->forms[n]; n++) {
		uint8_t *argument = &operation_out->arguments[n];
		text = strsep(&word, ".");
		if (!text || !read_argument(step->forms[n], text, argument) || *argument >= step->limits[n])
			return false;
	}
	return !word;
}

static void read_script(struct check *check, struct script *script, const char *text)
{
	char *copy = strdup(text), *rest = copy;
	for (char *word; (word = strsep(&rest, " "));) {
		char name[32];
		(void)snprintf(name, sizeof(name), "%s", word);
		check_that(check, script->count < MODEL_OPERATIONS_MAX, "--replay: expected at most %d operations",
		           MODEL_OPERATIONS_MAX);
		check_that(check, read_operation(script->kind, word, &script->operations[script->count++]),
		           "--replay: there is no operation %s for a stage of this kind", name);
	}
	free(copy);
}

void model_check(struct check *check, const struct model_kind *kind, size_t scripts)
{
	char sentence[SENTENCE_SIZE];
	struct script script = {.kind = kind};
	const char *replay = check_replay(check);
	if (replay) {
		read_script(check, &script, replay);
		check_that(check, holds(check, &script, sentence), "%s", sentence);
		return;
	}
	int64_t until_ns = check_scripts(check) ? INT64_MAX : clock_now_ns() + check_budget_ns(check);
	unsigned long i = 0;
	scripts = check_scripts(check) ? check_scripts(check) : scripts;
	for (; i < scripts && clock_now_ns() < until_ns; i++) {
		script.number = i;
		invent(&script, check_seed(check) + i);
		if (holds(check, &script, sentence))
			continue;
		struct buffer text = {0};
		unsigned long long seed = check_seed(check) + i;
		shorten(check, &script, sentence);
		print_script(&script, &text);
		check_fail(check, __FILE__, __LINE__, "%s; with --seed %llu; shortened to --replay '%s'", sentence,
		           seed, text.data ? text.data : "");
	}
	check_note(check, "%zu random operations, with seeds %llu to %llu", (size_t)i * LENGTH, check_seed(check),
	           check_seed(check) + i - 1);
}
