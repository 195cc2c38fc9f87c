/*
 * Whether a bundle still says what was measured; see evidence.h. Hashes show what was changed after the manifest was
 * made; to change both, and a verdict with them, is of no use: verdicts are computed again.
 */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/evidence.h"
#include "lab/gate.h"
#include "lab/manifest.h"
#include "lab/verdict.h"
#include "lab/verify.h"

struct check {
	const char *directory;
	void (*fault)(void *context, const char *file, const char *what);
	void *context;
	size_t faults;
};

static void report(void *context, const char *file, const char *what)
{
	struct check *check = context;
	check->faults++;
	check->fault(check->context, file, what);
}

static bool alike(const json_t *a, const json_t *b);

static bool objects_alike(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)a, key, value)
	{
		if (!alike(value, json_object_get(b, key)))
			return false;
	}
	return json_object_size(a) == json_object_size(b);
}

static bool arrays_alike(const json_t *a, const json_t *b)
{
	for (size_t i = 0; i < json_array_size(a); i++)
		if (!alike(json_array_get(a, i), json_array_get(b, i)))
			return false;
	return json_array_size(a) == json_array_size(b);
}

/* The same but for the last digits of a number, in which two mathematical libraries may differ. */
static bool alike(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b)) {
		const double left = json_number_value(a), right = json_number_value(b);
		return fabs(left - right) <= 1e-9 * fmax(fabs(left), fabs(right));
	}
	if (!a || !b || json_typeof(a) != json_typeof(b))
		return false;
	return json_is_object(a) ? objects_alike(a, b) : json_is_array(a) ? arrays_alike(a, b) : json_equal(a, b);
}

static bool has(const struct check *check, const char *name)
{
	char *path = run_file(check->directory, name);
	const bool there = access(path, R_OK) == 0;
	free(path);
	return there;
}

/* Takes what was computed, NULL with a sentence in `trouble` if it could not be. */
static void hold_against(struct check *check, const char *name, json_t *computed, const struct sluice_error *trouble)
{
	struct sluice_error error = {0};
	json_t *written = run_read_json(check->directory, name, &error);
	if (!computed)
		report(check, name, trouble->text);
	else if (!written)
		report(check, name, error.text);
	else if (!alike(computed, written))
		report(check, name, "is not what the raw samples come to");
	json_decref(computed);
	json_decref(written);
}

static json_t *compute_comparison(const struct check *check, struct sluice_error *error)
{
	struct sluice_error absent;
	struct input input;
	struct run *run = run_open(check->directory, error);
	json_t *verified = run_read_json(check->directory, RUN_VERIFY, &absent), *document = NULL;
	input_init(&input);
	if (run && verify_read_input(run, NULL, &input, error))
		document = verdict_compute(run, &input, verified, error);
	input_finish(&input);
	json_decref(verified);
	run_close(run);
	return document;
}

/* A part of a bundle is a run directory in it; its faults are told with its name before the file's. */
struct part_check {
	struct check *whole;
	const char *name;
};

static void report_part(void *context, const char *file, const char *what)
{
	const struct part_check *part = context;
	char *path = run_file(part->name, file);
	report(part->whole, path, what);
	free(path);
}

static void recompute(struct check *check)
{
	if (has(check, RUN_COMPARE)) {
		struct sluice_error trouble = {0};
		json_t *computed = compute_comparison(check, &trouble);
		hold_against(check, RUN_COMPARE, computed, &trouble);
	}
	if (has(check, RUN_GATE)) {
		struct sluice_error trouble = {0};
		json_t *computed = gate_judge_again(check->directory, &trouble);
		hold_against(check, RUN_GATE, computed, &trouble);
	}
}

static bool recompute_parts(struct check *check, struct sluice_error *error)
{
	DIR *entries = opendir(check->directory);
	if (!entries)
		return sluice_error_set(error, "%s: cannot be read: %s", check->directory, strerror(errno));
	for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		char *path = run_file(check->directory, entry->d_name);
		struct part_check part = {check, entry->d_name};
		struct check own = {path, report_part, &part, 0};
		recompute(&own);
		free(path);
	}
	(void)closedir(entries);
	return true;
}

bool evidence_verify(const char *directory, void (*fault)(void *context, const char *file, const char *what),
                     void *context, size_t *faults_out, struct sluice_error *error)
{
	struct check check = {directory, fault, context, 0};
	size_t files;
	if (!manifest_check(directory, report, &check, &files, error))
		return false;
	recompute(&check);
	const bool ok = recompute_parts(&check, error);
	*faults_out = check.faults;
	return ok;
}
