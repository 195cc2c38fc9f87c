/*
 * Whether a bundle still says what was measured; see evidence.h. Hashes show what was changed after the manifest was
 * made, seals what was changed together with it. To change all of them is of no use: what follows from the samples is computed
 * again.
 */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "lab/gate/gate.h"
#include "lab/judge/verdict.h"
#include "lab/judge/verify.h"
#include "lab/load/about.h"
#include "lab/report/derive.h"
#include "lab/report/evidence.h"
#include "lab/report/manifest.h"
#include "lab/report/signature.h"
#include "lab/run/seal.h"

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
	json_object_foreach ((json_t *)(uintptr_t)a, key, value) {
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
		double left = json_number_value(a), right = json_number_value(b);
		return fabs(left - right) <= 1e-9 * fmax(fabs(left), fabs(right));
	}
	if (!a || !b || json_typeof(a) != json_typeof(b))
		return false;
	return json_is_object(a) ? objects_alike(a, b) : json_is_array(a) ? arrays_alike(a, b) : json_equal(a, b);
}

static bool has_file(const char *directory, const char *name)
{
	char *path = run_file(directory, name);
	bool there = access(path, R_OK) == 0;
	free(path);
	return there;
}

static bool has(const struct check *check, const char *name)
{
	return has_file(check->directory, name);
}

/* What other rules have made is for the Sluice that has them. */
static bool has_our_rules(struct check *check, const char *name, const json_t *document)
{
	struct buffer what = {0};
	const char *version = json_string_value(json_object_get(document, "sluice"));
	bool ours = run_rules(document) == RUN_RULES;
	if (ours)
		return true;
	buffer_printf(&what, "was made by Sluice %s, by rules %lld: verify it with that one; this is %s, with rules %d",
	              version ? version : "of an unknown version", (long long)run_rules(document), SLUICE_VERSION,
	              RUN_RULES);
	report(check, name, what.data);
	buffer_finish(&what);
	return false;
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
	else if (has_our_rules(check, name, written) && !alike(computed, written))
		report(check, name, "is not what the raw samples come to");
	json_decref(computed);
	json_decref(written);
}

/* Its members that follow from the records and the input; rates and processor times come from clocks that do not. */
static const struct {
	const char *object, *member;
} derived[] = {
	{"results", "requests"},      {"results", "answered"}, {"results", "statuses"},     {"results", "by_kind"},
	{"results", "expected_good"}, {"results", "accepted"}, {"results", "errors"},       {"results", "corrected"},
	{"results", "raw"},           {"generator", "valid"},  {"generator", "lag_p50_ms"}, {"generator", "lag_p95_ms"},
	{"generator", "lag_p99_ms"},
};

static json_t *derive(const struct run *run, const struct input *input)
{
	const json_t *share = json_object_get(json_object_get(run->about, "generator"), "cpu_share");
	const json_t *processors = json_object_get(json_object_get(run->about, "host"), "cpus");
	bool is_signed = json_is_string(json_object_get(run->about, "sign"));
	return json_pack("{s:o, s:o}", "results", about_results(input, run->records, run->count, is_signed, 0, 0),
	                 "generator",
	                 about_generator(run->records, run->count, json_number_value(share),
	                                 (size_t)json_integer_value(processors)));
}

static bool fits(const struct run *run, const struct input *input)
{
	for (size_t i = 0; i < run->count; i++)
		if (run->records[i].input >= input->count)
			return false;
	return true;
}

static void check_about(struct check *check, const struct run *run, const struct input *input)
{
	if (!fits(run, input)) {
		report(check, RUN_REQUESTS, "has requests that are not in the input");
		return;
	}
	json_t *computed = derive(run, input);
	for (size_t i = 0; i < sizeof(derived) / sizeof(derived[0]); i++) {
		const char *object = derived[i].object, *member = derived[i].member;
		struct buffer what = {0};
		if (alike(json_object_get(json_object_get(computed, object), member),
		          json_object_get(json_object_get(run->about, object), member)))
			continue;
		buffer_printf(&what, "%s.%s is not what the raw samples come to", object, member);
		report(check, RUN_ABOUT, what.data);
		buffer_finish(&what);
	}
	json_decref(computed);
}

static bool is_comparison(const json_t *about)
{
	return json_is_object(json_object_get(about, "comparison")) &&
	       json_array_size(json_object_get(about, "arms")) > 1;
}

static void check_comparison(struct check *check, const struct run *run, const struct input *input)
{
	struct sluice_error trouble = {0};
	json_t *verified = run_read_json(check->directory, RUN_VERIFY, NULL);
	hold_against(check, RUN_COMPARE, verdict_compute(run, input, verified, &trouble), &trouble);
	json_decref(verified);
}

static void check_gate(struct check *check)
{
	struct sluice_error trouble = {0};
	hold_against(check, RUN_GATE, gate_judge_again(check->directory, &trouble), &trouble);
}

static FILE *open_in(const char *directory, const char *name)
{
	struct sluice_error absent = {0};
	char *path = run_file(directory, name);
	FILE *file = file_open(path, &absent);
	free(path);
	return file;
}

static bool same_streams(FILE *left, FILE *right)
{
	char a[16384], b[16384];
	size_t got;
	do {
		got = fread(a, 1, sizeof(a), left);
		if (fread(b, 1, sizeof(b), right) != got || memcmp(a, b, got) != 0)
			return false;
	} while (got > 0);
	return true;
}

static bool same_bytes(const char *directory, const char *other, const char *name)
{
	FILE *left = open_in(directory, name), *right = open_in(other, name);
	bool same = left && right && same_streams(left, right);
	if (left)
		(void)fclose(left);
	if (right)
		(void)fclose(right);
	return same;
}

static bool same_json(const char *directory, const char *other, const char *name)
{
	json_t *left = run_read_json(directory, name, NULL), *right = run_read_json(other, name, NULL);
	bool same = left && right && alike(left, right);
	json_decref(left);
	json_decref(right);
	return same;
}

/* Holds a derived file against the one that was made again in the folder `again`. A part has what its commands left. */
static void check_derived(struct check *check, const char *again, const char *name, bool is_part)
{
	bool is_json = strstr(name, ".json") != NULL, made = has_file(again, name), there = has(check, name);
	if (!made && there)
		report(check, name, "does not follow from this run");
	else if (made && !there && !is_part)
		report(check, name, "is missing");
	else if (made && there && !(is_json ? same_json : same_bytes)(check->directory, again, name))
		report(check, name, "is not what follows from the other files");
}

static void remove_folder(const char *folder)
{
	for (size_t i = 0; derived_names[i]; i++) {
		char *path = run_file(folder, derived_names[i]);
		(void)unlink(path);
		free(path);
	}
	(void)rmdir(folder);
}

static void derive_again(struct check *check, bool is_part)
{
	struct sluice_error error = {0};
	const char *place = getenv("TMPDIR");
	char *again = run_file(place && place[0] ? place : "/tmp", "sluice-evidence-XXXXXX");
	if (!mkdtemp(again)) {
		(void)sluice_error_set(&error, "%s: cannot be made: %s", again, strerror(errno));
		report(check, RUN_REPORT, error.text);
		free(again);
		return;
	}
	if (derive_files(check->directory, again, &error))
		for (size_t i = 0; derived_names[i]; i++)
			check_derived(check, again, derived_names[i], is_part);
	else
		report(check, RUN_ABOUT, error.text);
	remove_folder(again);
	free(again);
}

static void check_run(struct check *check, const struct run *run, struct sluice_error *error)
{
	struct input input;
	input_init(&input);
	if (verify_read_input(run, NULL, &input, error)) {
		check_about(check, run, &input);
		if (is_comparison(run->about))
			check_comparison(check, run, &input);
	}
	input_finish(&input);
}

/* What cannot be read cannot be computed from: a fault of its own. */
static void recompute(struct check *check, bool is_part)
{
	struct sluice_error error = {0};
	if (!has(check, RUN_ABOUT) && !has(check, RUN_COMPARE) && !has(check, RUN_GATE))
		return;
	struct run *run = run_open(check->directory, &error);
	if (run && !seal_check(check->directory, SEAL_WHOLE, report, check, &error)) {
		report(check, RUN_ABOUT, error.text);
	} else if (run && has_our_rules(check, RUN_ABOUT, run->about)) {
		check_run(check, run, &error);
		if (check->faults == 0) /* else it is refused already, and may be anything */
			derive_again(check, is_part);
	}
	if (error.text[0])
		report(check, run ? RUN_INPUT : RUN_REQUESTS, error.text);
	if (has(check, RUN_GATE))
		check_gate(check);
	run_close(run);
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
		recompute(&own, true);
		free(path);
	}
	(void)closedir(entries);
	return true;
}

static const char *const signature_faults[] = {
	[SIGNATURE_WRONG] = "is not the signature of this manifest by that key",
	[SIGNATURE_MISSING] = "is missing: the bundle is not signed",
};

static bool check_signature(struct check *check, const char *key, struct sluice_error *error)
{
	enum signature signature;
	if (!key)
		return true;
	if (!signature_check(check->directory, key, &signature, error))
		return false;
	if (signature != SIGNATURE_GOOD)
		report(check, RUN_SIGNATURE, signature_faults[signature]);
	return true;
}

bool evidence_verify(const char *directory, const char *key,
                     void (*fault)(void *context, const char *file, const char *what), void *context,
                     size_t *faults_out, struct sluice_error *error)
{
	struct check check = {directory, fault, context, 0};
	size_t files;
	if (!manifest_check(directory, report, &check, &files, error) || !check_signature(&check, key, error))
		return false;
	recompute(&check, false);
	bool ok = recompute_parts(&check, error);
	*faults_out = check.faults;
	return ok;
}
