/*
 * Manifests; see manifest.h.
 */
#include "lab/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/digest.h"
#include "lab/run.h"

enum { NAME_AT = DIGEST_HEX_SIZE + 1 /* two characters between the hash and the name */ };

static int is_listed(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && entry->d_type != DT_DIR && strcmp(entry->d_name, RUN_MANIFEST) != 0;
}

static bool hash_file(const char *directory, const char *name, char hex[DIGEST_HEX_SIZE], struct sluice_error *error)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	char *path = run_file(directory, name);
	const bool ok = digest_file(path, digest, error);
	if (ok)
		digest_hex(digest, hex);
	free(path);
	return ok;
}

/* All entries' names, sorted bytewise; freed with free_names(). */
static int list_names(const char *directory, struct dirent ***names_out, struct sluice_error *error)
{
	const int count = scandir(directory, names_out, is_listed, alphasort);
	if (count < 0)
		(void)sluice_error_set(error, "%s: cannot be read: %s", directory, strerror(errno));
	return count;
}

static void free_names(struct dirent **names, int count)
{
	for (int i = 0; i < count; i++)
		free(names[i]);
	if (count >= 0)
		free(names);
}

static bool write_text(const char *directory, const struct buffer *text, struct sluice_error *error)
{
	char *path = run_file(directory, RUN_MANIFEST);
	FILE *file = fopen(path, "we");
	const bool written = file && fwrite(text->data ? text->data : "", 1, text->size, file) == text->size;
	const bool ok = file && fclose(file) == 0 && written;
	if (!ok)
		(void)sluice_error_set(error, "%s: cannot be written: %s", path, strerror(errno));
	free(path);
	return ok;
}

bool manifest_write(const char *directory, struct sluice_error *error)
{
	struct dirent **names = NULL;
	struct buffer text = {0};
	const int count = list_names(directory, &names, error);
	bool ok = count >= 0;
	for (int i = 0; ok && i < count; i++) {
		char hex[DIGEST_HEX_SIZE];
		ok = hash_file(directory, names[i]->d_name, hex, error);
		if (ok)
			buffer_printf(&text, "%s  %s\n", hex, names[i]->d_name);
	}
	ok = ok && write_text(directory, &text, error);
	buffer_finish(&text);
	free_names(names, count);
	return ok;
}

/* One line; false if it is none of a manifest. */
static bool check_line(const char *directory, char *line, manifest_fault_fn each, void *context)
{
	struct sluice_error unreadable = {0};
	char hex[DIGEST_HEX_SIZE];
	line[strcspn(line, "\n")] = '\0';
	if (strlen(line) <= NAME_AT || strspn(line, "0123456789abcdef") != DIGEST_HEX_SIZE - 1 ||
	    strchr(line + NAME_AT, '/'))
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
	const size_t length = strlen(name);
	for (const char *at = text; (at = strstr(at, name)) != NULL; at += length)
		if (at - text >= NAME_AT && at[-1] == ' ' && at[-2] == ' ' &&
		    (at[length] == '\n' || at[length] == '\0'))
			return true;
	return false;
}

static bool check_strangers(const char *directory, const char *text, manifest_fault_fn each, void *context,
                            struct sluice_error *error)
{
	struct dirent **names = NULL;
	const int count = list_names(directory, &names, error);
	for (int i = 0; i < count; i++)
		if (!has_line_for(text, names[i]->d_name))
			each(context, names[i]->d_name, "is not in the manifest");
	free_names(names, count);
	return count >= 0;
}

static bool read_text(const char *path, struct buffer *text, struct sluice_error *error)
{
	char piece[4096];
	size_t got;
	FILE *file = fopen(path, "re");
	if (!file)
		return sluice_error_set(error, "%s: cannot be read: %s; `sluice evidence pack` makes it", path,
		                        strerror(errno));
	while ((got = fread(piece, 1, sizeof(piece), file)) > 0)
		buffer_add(text, piece, got);
	(void)fclose(file);
	return true;
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
