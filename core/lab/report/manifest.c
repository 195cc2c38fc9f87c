/*
 * Manifests; see manifest.h.
 */
#include "lab/report/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/digest.h"
#include "base/file.h"
#include "lab/run/run.h"

enum {
	NAME_AT = DIGEST_HEX_SIZE + 1, /* two characters between the hash and the name */
	MANIFEST_MAX = 1024 * 1024,
};

/* Names of files below the directory, "interim/run.json"; freed with free_names(). */
struct names {
	char **items;
	size_t count, room;
};

static void free_names(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
}

static void add_name(struct names *names, const char *folder, const char *name)
{
	struct buffer path = {0};
	buffer_printf(&path, "%s%s%s", folder, folder[0] ? "/" : "", name);
	if (names->count == names->room) {
		names->room = names->room ? 2 * names->room : 32;
		names->items = must_realloc(names->items, names->room * sizeof(*names->items));
	}
	names->items[names->count++] = buffer_take(&path);
}

static bool collect(const char *directory, const char *folder, struct names *names, struct sluice_error *error);

/* A part of the bundle has a manifest of its own, which is a file like any other here. */
static bool collect_entry(const char *directory, const char *folder, const struct dirent *entry, struct names *names,
                          struct sluice_error *error)
{
	if (entry->d_name[0] == '.' ||
	    (!folder[0] && (strcmp(entry->d_name, RUN_MANIFEST) == 0 || strcmp(entry->d_name, RUN_SIGNATURE) == 0)))
		return true;
	if (entry->d_type != DT_DIR) {
		add_name(names, folder, entry->d_name);
		return true;
	}
	return folder[0] ? sluice_error_set(error, "%s/%s: a bundle has parts, which have none", folder, entry->d_name)
	                 : collect(directory, entry->d_name, names, error);
}

static bool collect(const char *directory, const char *folder, struct names *names, struct sluice_error *error)
{
	char *path = folder[0] ? run_file(directory, folder) : must_strdup(directory);
	DIR *entries = opendir(path);
	bool ok = entries != NULL;
	if (!ok)
		(void)sluice_error_set(error, "%s: cannot be read: %s", path, strerror(errno));
	for (const struct dirent *entry; ok && (entry = readdir(entries)) != NULL;)
		ok = collect_entry(directory, folder, entry, names, error);
	if (entries)
		(void)closedir(entries);
	free(path);
	return ok;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All of them, sorted bytewise. */
static bool list_names(const char *directory, struct names *names, struct sluice_error *error)
{
	*names = (struct names){0};
	bool ok = collect(directory, "", names, error);
	if (names->count > 0)
		qsort(names->items, names->count, sizeof(*names->items), by_name);
	return ok;
}

static bool hash_file(const char *directory, const char *name, char hex[DIGEST_HEX_SIZE], struct sluice_error *error)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	char *path = run_file(directory, name);
	bool ok = digest_file(path, digest, error);
	if (ok)
		digest_hex(digest, hex);
	free(path);
	return ok;
}

static bool write_text(const char *directory, const struct buffer *text, struct sluice_error *error)
{
	char *path = run_file(directory, RUN_MANIFEST);
	FILE *file = file_create(path);
	bool written = file && fwrite(text->data ? text->data : "", 1, text->size, file) == text->size;
	bool ok = file && fclose(file) == 0 && written;
	if (!ok)
		(void)sluice_error_set(error, "%s: cannot be written: %s", path, strerror(errno));
	free(path);
	return ok;
}

bool manifest_write(const char *directory, struct sluice_error *error)
{
	struct names names;
	struct buffer text = {0};
	bool ok = list_names(directory, &names, error);
	for (size_t i = 0; ok && i < names.count; i++) {
		char hex[DIGEST_HEX_SIZE];
		ok = hash_file(directory, names.items[i], hex, error);
		if (ok)
			buffer_printf(&text, "%s  %s\n", hex, names.items[i]);
	}
	ok = ok && write_text(directory, &text, error);
	buffer_finish(&text);
	free_names(&names);
	return ok;
}

/* A manifest speaks of what is below it. */
static bool is_inside(const char *name)
{
	for (const char *part = name; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
		if (part[0] == '/' || (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')))
			return false;
	return true;
}

/* One line; false if it is none of a manifest. */
static bool check_line(const char *directory, char *line, manifest_fault_fn each, void *context)
{
	struct sluice_error unreadable = {0};
	char hex[DIGEST_HEX_SIZE];
	line[strcspn(line, "\n")] = '\0';
	if (strlen(line) <= NAME_AT || strspn(line, "0123456789abcdef") != DIGEST_HEX_SIZE - 1 ||
	    !is_inside(line + NAME_AT))
		return false;
	const char *name = line + NAME_AT;
	if (!hash_file(directory, name, hex, &unreadable))
		each(context, name, "is missing, or cannot be read");
	else if (strncmp(hex, line, DIGEST_HEX_SIZE - 1) != 0)
		each(context, name, "has changed");
	return true;
}

static bool has_line_for(const char *text, const char *name)
{
	size_t length = strlen(name);
	for (const char *at = text; (at = strstr(at, name)) != NULL; at += length)
		if (at - text >= NAME_AT && at[-1] == ' ' && at[-2] == ' ' &&
		    (at[length] == '\n' || at[length] == '\0'))
			return true;
	return false;
}

static bool check_strangers(const char *directory, const char *text, manifest_fault_fn each, void *context,
                            struct sluice_error *error)
{
	struct names names;
	bool ok = list_names(directory, &names, error);
	for (size_t i = 0; ok && i < names.count; i++)
		if (!has_line_for(text, names.items[i]))
			each(context, names.items[i], "is not in the manifest");
	free_names(&names);
	return ok;
}

static bool read_text(const char *path, struct buffer *text, struct sluice_error *error)
{
	char piece[4096];
	size_t got;
	struct sluice_error cause = {0};
	FILE *file = file_open(path, &cause);
	if (!file)
		return sluice_error_set(error, "%s; `sluice evidence pack` makes it", cause.text);
	while (text->size <= MANIFEST_MAX && (got = fread(piece, 1, sizeof(piece), file)) > 0)
		buffer_add(text, piece, got);
	(void)fclose(file);
	if (text->size > MANIFEST_MAX)
		return sluice_error_set(error, "%s: expected at most %d bytes", path, MANIFEST_MAX);
	/* It would hide from a reader of C strings what stands behind it. */
	return text->size == 0 || !memchr(text->data, '\0', text->size) ||
	       sluice_error_set(error, "%s: contains a NUL, which no manifest does", path);
}

bool manifest_check(const char *directory, manifest_fault_fn each, void *context, size_t *files_out,
                    struct sluice_error *error)
{
	struct buffer text = {0};
	char *path = run_file(directory, RUN_MANIFEST);
	*files_out = 0;
	bool ok = read_text(path, &text, error) &&
	          check_strangers(directory, text.data ? text.data : "", each, context, error);
	char *rest = NULL;
	for (char *line = ok && text.data ? strtok_r(text.data, "\n", &rest) : NULL; line && ok;
	     line = strtok_r(NULL, "\n", &rest)) {
		ok = check_line(directory, line, each, context) ||
		     sluice_error_set(error, "%s: line %zu is no line of a manifest", path, *files_out + 1);
		(*files_out)++;
	}
	free(path);
	buffer_finish(&text);
	return ok;
}
