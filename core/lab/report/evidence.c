/*
 * Packing; see evidence.h.
 */
#include "lab/report/evidence.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/report/derive.h"
#include "lab/report/manifest.h"
#include "lab/report/signature.h"
#include "lab/run/run.h"
#include "lab/run/seal.h"

/* What a bundle should have, and what of it belongs to a comparison. */
static const struct {
	const char *file, *what;
	bool of_comparison;
} expected[] = {
	{RUN_INPUT, "the input: run `sluice replay` with --keep-input", false},
	{RUN_VERIFY, "a verification: run `sluice verify`", false},
	{RUN_GATE, "a gate's verdict: run `sluice gate`", false},
	{RUN_COMPARE, "a comparison: run `sluice compare`", true},
	{RUN_ROLLBACK, "a rollback that was tried: run `sluice compare` with --rollback", true},
};

static bool has(const char *directory, const char *name)
{
	char *path = run_file(directory, name);
	bool there = access(path, R_OK) == 0;
	free(path);
	return there;
}

/* A single is judged for itself; the comparison may be another part of the bundle. */
static bool is_comparison(const char *directory)
{
	json_t *about = run_read_json(directory, RUN_ABOUT, NULL);
	const char *design = json_string_value(json_object_get(json_object_get(about, "schedule"), "design"));
	bool single = !design || strcmp(design, "single") == 0;
	json_decref(about);
	return !single;
}

static void list_missing(const char *directory, void (*missing)(void *context, const char *what), void *context)
{
	bool compares = is_comparison(directory);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		if (!has(directory, expected[i].file) && (compares || !expected[i].of_comparison))
			missing(context, expected[i].what);
}

static bool is_derived(const char *name)
{
	for (size_t i = 0; derived_names[i]; i++)
		if (strcmp(derived_names[i], name) == 0)
			return true;
	return false;
}

struct broken {
	const char *directory;
	bool derives; /* what is derived is made again */
	struct sluice_error *error;
};

static void note_broken(void *context, const char *file, const char *what)
{
	struct broken *broken = context;
	if (!broken->derives || !is_derived(file))
		(void)sluice_error_set(broken->error, "%s/%s: %s; no bundle is made of what was changed",
		                       broken->directory, file, what);
}

/* What was written and sealed is still that. */
static bool is_unbroken(const char *directory, bool derives, struct sluice_error *error)
{
	struct sluice_error found = {0};
	struct broken broken = {directory, derives, &found};
	if (!seal_exists(directory))
		return true;
	if (!seal_check(directory, SEAL_NAMED, note_broken, &broken, error))
		return false;
	return !found.text[0] || sluice_error_set(error, "%s", found.text);
}

static bool seal_directory(const char *directory, struct sluice_error *error)
{
	return seal_files(directory, derived_names, error) && seal_rest(directory, error);
}

static bool seal_part(const char *directory, const char *name, struct sluice_error *error)
{
	char *part = run_file(directory, name);
	bool ok = !has(part, RUN_ABOUT) || (is_unbroken(part, false, error) && seal_directory(part, error));
	free(part);
	return ok;
}

/* Run directories in the bundle. */
static bool seal_parts(const char *directory, struct sluice_error *error)
{
	DIR *entries = opendir(directory);
	if (!entries)
		return sluice_error_set(error, "%s: cannot be read: %s", directory, strerror(errno));
	bool ok = true;
	for (const struct dirent *entry; ok && (entry = readdir(entries)) != NULL;)
		ok = entry->d_type != DT_DIR || entry->d_name[0] == '.' || seal_part(directory, entry->d_name, error);
	(void)closedir(entries);
	return ok;
}

/* What an earlier pack has made. */
static void remove_derived(const char *directory)
{
	for (size_t i = 0; derived_names[i]; i++) {
		char *path = run_file(directory, derived_names[i]);
		(void)unlink(path);
		free(path);
	}
	char *signature = run_file(directory, RUN_SIGNATURE);
	(void)unlink(signature);
	free(signature);
}

static bool make_derived(const char *directory, struct sluice_error *error)
{
	if (!has(directory, RUN_ABOUT))
		return sluice_error_set(error, "%s: not a run directory", directory);
	remove_derived(directory);
	return derive_files(directory, directory, error);
}

bool evidence_pack(const char *directory, const char *key, void (*missing)(void *context, const char *what),
                   void *context, struct sluice_error *error)
{
	bool ok = is_unbroken(directory, true, error) && make_derived(directory, error) &&
	          seal_parts(directory, error) && seal_directory(directory, error) &&
	          manifest_write(directory, error) && (!key || signature_write(directory, key, error));
	if (ok)
		list_missing(directory, missing, context);
	return ok;
}
