/*
 * Sealing a run directory; see seal.h.
 */
#include "lab/run/seal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/extension.h>

#include "base/digest.h"
#include "lab/run/run.h"

#define FILES "files"

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
	       strcmp(name, RUN_MANIFEST) == 0 || strcmp(name, RUN_SIGNATURE) == 0 || sluice_is_lab_location(name);
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

static bool begin(struct sealing *sealing, const char *directory, struct sluice_error *error)
{
	*sealing = (struct sealing){directory, run_read_json(directory, RUN_ABOUT, error), NULL, error};
	sealing->files = json_incref(json_object_get(sealing->about, FILES));
	if (!json_is_object(sealing->files)) {
		json_decref(sealing->files);
		sealing->files = json_object();
	}
	return sealing->about != NULL;
}

/* Sorted by name, so that the order in which they were written leaves no trace. */
static json_t *sort(const json_t *files)
{
	char *text = json_dumps(files, JSON_SORT_KEYS);
	json_t *sorted = json_loads(text, 0, NULL);
	free(text);
	return sorted;
}

static bool seal_of(const char *directory, uint8_t seal[SEAL_SIZE], struct sluice_error *error)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	char *path = run_file(directory, RUN_ABOUT);
	bool good = digest_file(path, digest, error);
	free(path);
	memcpy(seal, digest, SEAL_SIZE);
	return good;
}

static bool press(const char *directory, struct sluice_error *error)
{
	uint8_t seal[SEAL_SIZE];
	if (!seal_of(directory, seal, error))
		return false;
	char *path = run_file(directory, RUN_REQUESTS);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && pwrite(fd, seal, SEAL_SIZE, SEAL_AT) == SEAL_SIZE;
	good = (fd < 0 || close(fd) == 0) && good;
	if (!good)
		(void)sluice_error_set(error, "%s: cannot be sealed: %s", path, strerror(errno));
	free(path);
	return good;
}

static bool end(struct sealing *sealing, bool good)
{
	if (good) {
		(void)json_object_set_new(sealing->about, "rules", json_integer(RUN_RULES));
		(void)json_object_set_new(sealing->about, FILES, sort(sealing->files));
		good = run_write_json(sealing->directory, RUN_ABOUT, sealing->about, sealing->error) &&
		       press(sealing->directory, sealing->error);
	}
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

bool seal_file(const char *directory, const char *name, struct sluice_error *error)
{
	struct sealing sealing;
	bool good = begin(&sealing, directory, error);
	if (good && is_there(directory, name))
		good = add(&sealing, name);
	else if (good)
		(void)json_object_del(sealing.files, name);
	return end(&sealing, good);
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
	if (!reader || !seal_of(checking->directory, expected, error)) {
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
