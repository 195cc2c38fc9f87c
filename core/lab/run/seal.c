/*
 * Sealing a run directory; see seal.h.
 */
#include "lab/run/seal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <sluice/extension.h>

#include "base/digest.h"
#include "lab/run/run.h"

#define FILES "files"
#define PENDING RUN_ABOUT ".sealed"

enum { SEAL_SIZE = sizeof(((struct trace_header *)0)->seal), SEAL_AT = offsetof(struct trace_header, seal) };

/* Of requests.bin without the seal in it. */
static bool hash(const char *directory, const char *name, char hex[DIGEST_HEX_SIZE], struct sluice_error *error)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	char *path = run_file(directory, name);
	bool good = strcmp(name, RUN_REQUESTS) == 0 ? digest_file_without(path, SEAL_AT, SEAL_SIZE, digest, error)
	                                            : digest_file(path, digest, error);
	free(path);
	if (good)
		digest_hex(digest, hex);
	return good;
}

/* The manifest is about all of them, run.json is what the seal is of, and a store that was kept is not evidence. */
static bool needs_none(const struct dirent *entry)
{
	const char *name = entry->d_name;
	return name[0] == '.' || entry->d_type == DT_DIR || strcmp(name, RUN_ABOUT) == 0 ||
	       strcmp(name, PENDING) == 0 || strcmp(name, RUN_MANIFEST) == 0 || strcmp(name, RUN_SIGNATURE) == 0 ||
	       sluice_is_lab_location(name);
}

/* Calls `each` for every file that a seal is about, until it says false. */
static bool for_each_file(const char *directory, bool (*each)(void *context, const char *name), void *context,
                          struct sluice_error *error)
{
	DIR *entries = opendir(directory);
	if (!entries)
		return sluice_error_set(error, "%s: cannot be read: %s", directory, strerror(errno));
	bool good = true;
	for (const struct dirent *entry; good && (entry = readdir(entries)) != NULL;)
		good = needs_none(entry) || each(context, entry->d_name);
	(void)closedir(entries);
	return good;
}

struct sealing {
	const char *directory;
	json_t *about, *files;
	int requests; /* requests.bin, locked: one at a time seals a directory */
	struct sluice_error *error;
};

static bool add(void *context, const char *name)
{
	const struct sealing *sealing = context;
	char hex[DIGEST_HEX_SIZE];
	if (!hash(sealing->directory, name, hex, sealing->error))
		return false;
	(void)json_object_set_new(sealing->files, name, json_string(hex));
	return true;
}

static bool add_if_new(void *context, const char *name)
{
	const struct sealing *sealing = context;
	return json_object_get(sealing->files, name) != NULL || add(context, name);
}

static bool seal_of(const char *directory, const char *about, uint8_t seal[SEAL_SIZE], struct sluice_error *error)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	char *path = run_file(directory, about);
	bool good = digest_file(path, digest, error);
	free(path);
	memcpy(seal, digest, SEAL_SIZE);
	return good;
}

static bool is_sealed_with(const struct sealing *sealing, const char *about)
{
	struct sluice_error absent = {0};
	uint8_t expected[SEAL_SIZE], found[SEAL_SIZE];
	return seal_of(sealing->directory, about, expected, &absent) &&
	       pread(sealing->requests, found, SEAL_SIZE, SEAL_AT) == SEAL_SIZE &&
	       memcmp(expected, found, SEAL_SIZE) == 0;
}

static bool rename_in(const char *directory, const char *from, const char *to, struct sluice_error *error)
{
	char *source = run_file(directory, from), *target = run_file(directory, to);
	bool good = rename(source, target) == 0 ||
	            sluice_error_set(error, "%s: cannot be renamed: %s", source, strerror(errno));
	free(source);
	free(target);
	return good;
}

/* What is sealed stays as it is until it is sealed again. A sealing that was cut short is brought to its end: the seal was
 * pressed already, and the new run.json lies beside the old one. */
static bool is_intact(const struct sealing *sealing)
{
	if (is_sealed_with(sealing, RUN_ABOUT))
		return true;
	if (is_sealed_with(sealing, PENDING))
		return rename_in(sealing->directory, PENDING, RUN_ABOUT, sealing->error);
	return sluice_error_set(sealing->error,
	                        "%s/" RUN_ABOUT ": is not the one that " RUN_REQUESTS
	                        " was sealed with: nothing is sealed over it",
	                        sealing->directory);
}

static bool lock(struct sealing *sealing)
{
	char *path = run_file(sealing->directory, RUN_REQUESTS);
	sealing->requests = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	bool good = sealing->requests >= 0 && flock(sealing->requests, LOCK_EX) == 0;
	if (!good)
		(void)sluice_error_set(sealing->error, "%s: cannot be sealed: %s", path, strerror(errno));
	free(path);
	return good;
}

static bool read_about(struct sealing *sealing)
{
	sealing->about = run_read_json(sealing->directory, RUN_ABOUT, sealing->error);
	sealing->files = json_incref(json_object_get(sealing->about, FILES));
	return sealing->about != NULL;
}

static bool begin(struct sealing *sealing, const char *directory, struct sluice_error *error)
{
	*sealing = (struct sealing){.directory = directory, .requests = -1, .error = error};
	if (!lock(sealing) || (seal_exists(directory) && !is_intact(sealing)) || !read_about(sealing))
		return false;
	if (!sealing->files)
		sealing->files = json_object();
	return json_is_object(sealing->files) ||
	       sluice_error_set(error, "%s/" RUN_ABOUT ": " FILES ": expected an object", directory);
}

/* Sorted by name, so that the order in which they were written leaves no trace. */
static json_t *sort(const json_t *files)
{
	char *text = json_dumps(files, JSON_SORT_KEYS);
	json_t *sorted = json_loads(text, 0, NULL);
	free(text);
	return sorted;
}

static bool press(const struct sealing *sealing)
{
	uint8_t seal[SEAL_SIZE];
	return seal_of(sealing->directory, PENDING, seal, sealing->error) &&
	       (pwrite(sealing->requests, seal, SEAL_SIZE, SEAL_AT) == SEAL_SIZE ||
	        sluice_error_set(sealing->error, "%s/" RUN_REQUESTS ": cannot be sealed: %s", sealing->directory,
	                         strerror(errno)));
}

static bool end(struct sealing *sealing, bool good)
{
	if (good) {
		(void)json_object_set_new(sealing->about, FILES, sort(sealing->files));
		good = run_write_json(sealing->directory, PENDING, sealing->about, sealing->error) && press(sealing) &&
		       rename_in(sealing->directory, PENDING, RUN_ABOUT, sealing->error);
	}
	if (sealing->requests >= 0)
		(void)close(sealing->requests);
	json_decref(sealing->files);
	json_decref(sealing->about);
	return good;
}

static bool is_there(const char *directory, const char *name)
{
	char *path = run_file(directory, name);
	bool there = access(path, F_OK) == 0;
	free(path);
	return there;
}

static bool add_or_drop(struct sealing *sealing, const char *name)
{
	if (is_there(sealing->directory, name))
		return add(sealing, name);
	(void)json_object_del(sealing->files, name);
	return true;
}

bool seal_files(const char *directory, const char *const names[], struct sluice_error *error)
{
	struct sealing sealing;
	bool good = begin(&sealing, directory, error);
	for (size_t i = 0; good && names[i]; i++)
		good = add_or_drop(&sealing, names[i]);
	return end(&sealing, good);
}

bool seal_file(const char *directory, const char *name, struct sluice_error *error)
{
	return seal_files(directory, (const char *const[]){name, NULL}, error);
}

bool seal_rest(const char *directory, struct sluice_error *error)
{
	struct sealing sealing;
	bool good = begin(&sealing, directory, error) && for_each_file(directory, add_if_new, &sealing, error);
	return end(&sealing, good);
}

bool seal_exists(const char *directory)
{
	json_t *about = run_read_json(directory, RUN_ABOUT, NULL);
	bool exists = json_object_get(about, FILES) != NULL;
	json_decref(about);
	return exists;
}

struct checking {
	const char *directory;
	const json_t *files;
	void (*fault)(void *context, const char *file, const char *what);
	void *context;
};

static bool check_named(void *context, const char *name)
{
	const struct checking *checking = context;
	if (!json_object_get(checking->files, name))
		checking->fault(checking->context, name, "has no seal: it was added after the run");
	return true;
}

static void check_file(const struct checking *checking, const char *name, const char *expected)
{
	char hex[DIGEST_HEX_SIZE];
	struct sluice_error absent = {0};
	if (!hash(checking->directory, name, hex, &absent))
		checking->fault(checking->context, name, "is missing, or cannot be read");
	else if (!expected || strcmp(hex, expected) != 0)
		checking->fault(checking->context, name, "is not the file that " RUN_ABOUT " has the hash of");
}

static bool check_seal(const struct checking *checking, struct sluice_error *error)
{
	uint8_t expected[SEAL_SIZE];
	char *path = run_file(checking->directory, RUN_REQUESTS);
	struct trace_reader *reader = trace_open(path, error);
	free(path);
	if (!reader || !seal_of(checking->directory, RUN_ABOUT, expected, error)) {
		trace_free(reader);
		return false;
	}
	if (memcmp(trace_get_header(reader)->seal, expected, SEAL_SIZE) != 0)
		checking->fault(checking->context, RUN_ABOUT, "is not the one that " RUN_REQUESTS " was sealed with");
	trace_free(reader);
	return true;
}

/* A name in the list is one of this directory. */
static bool is_plain(const char *name)
{
	return name[0] != '.' && !strchr(name, '/');
}

bool seal_check(const char *directory, enum seal_scope scope,
                void (*fault)(void *context, const char *file, const char *what), void *context,
                struct sluice_error *error)
{
	json_t *about = run_read_json(directory, RUN_ABOUT, error);
	const json_t *files = json_object_get(about, FILES);
	struct checking checking = {directory, files, fault, context};
	bool good = about != NULL;
	const char *name;
	json_t *hex;
	if (good && !json_is_object(files)) {
		fault(context, RUN_ABOUT, "has no seal: it names the hash of no file");
	} else if (good) {
		json_object_foreach ((json_t *)(uintptr_t)files, name, hex)
			if (is_plain(name))
				check_file(&checking, name, json_string_value(hex));
		good = check_seal(&checking, error) &&
		       (scope == SEAL_NAMED || for_each_file(directory, check_named, &checking, error));
	}
	json_decref(about);
	return good;
}
