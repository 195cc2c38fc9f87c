/*
 * sluice new-stage: a folder with a stage that works, for its author to go on from.
 *
 * The files are those of core/cli/server/templates, with a few words of each filled in.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/server/templates.h"
#include "runtime/loader.h"
#include "yaml/option.h"

enum { NAME_MAX_SIZE = 64 };

/* What differs from kind to kind and is too short for a file. */
static const struct kind_texts {
	const char *settings;           /* what a pipeline file says under the stage */
	const char *test;               /* another test script than test.sh */
	const char *extra, *extra_name; /* one more file, and what it is called there */
	const char *package;            /* what sluice_add_stage() says about a library */
	const char *library;            /* and what its Debian package is called */
} kinds[KIND_COUNT] = {
	[SLUICE_KIND_AUTH] = {.settings = "    token: \"${SENDER_TOKEN}\"\n",
                              .test = "auth.sh",
                              .extra = "auth.http",
                              .extra_name = "request.http"},
	[SLUICE_KIND_PARSE] = {.package = " PKG_CONFIG jansson", .library = "It needs `libjansson-dev`. "},
	[SLUICE_KIND_PERSIST] = {.settings = "    path: events.db\n",
                                 .package = " PKG_CONFIG sqlite3",
                                 .library = "It needs `libsqlite3-dev`. "},
};

struct new_stage {
	enum sluice_kind kind;
	const char *name, *folder;
	struct buffer card, yaml; /* for the README */
};

/* The template with what is known of the stage in it. */
static void fill(const struct new_stage *stage, const char *template_name, struct buffer *out)
{
	const struct kind_texts *texts = &kinds[stage->kind];
	template_fill(template_find(template_files, template_name),
	              (const struct template_word[]){{"NAME", stage->name},
	                                             {"KIND", kind_names[stage->kind]},
	                                             {"CARD", stage->card.data},
	                                             {"YAML", stage->yaml.data},
	                                             {"PACKAGE", texts->package ? texts->package : ""},
	                                             {"LIBRARY", texts->library ? texts->library : ""},
	                                             {NULL, NULL}},
	              out);
}

static bool write_file(const struct new_stage *stage, const char *name, const char *template_name, mode_t mode,
                       struct sluice_error *error)
{
	struct buffer path = {0}, text = {0};
	buffer_printf(&path, "%s/%s", stage->folder, name);
	fill(stage, template_name, &text);
	FILE *file = fopen(path.data, "wx");
	bool ok = file && fwrite(text.data, 1, text.size, file) == text.size;
	ok = file && fclose(file) == 0 && ok && chmod(path.data, mode) == 0;
	if (!ok)
		sluice_error_set(error, "%s: cannot be written: %s", path.data, strerror(errno));
	buffer_finish(&text);
	buffer_finish(&path);
	return ok;
}

static bool write_files(struct new_stage *stage, struct sluice_error *error)
{
	const struct kind_texts *texts = &kinds[stage->kind];
	const char *kind = kind_names[stage->kind];
	char source[NAME_MAX_SIZE + 8], code[32], card[32];
	(void)snprintf(source, sizeof(source), "%s.c", stage->name);
	(void)snprintf(code, sizeof(code), "%s.c", kind);
	(void)snprintf(card, sizeof(card), "%s.md", kind);
	template_fill(template_find(template_files, card), (const struct template_word[]){{NULL, NULL}}, &stage->card);
	buffer_printf(&stage->yaml, "  - %s: ./b/%s.so\n%s", kind, stage->name, texts->settings ? texts->settings : "");
	return write_file(stage, "CMakeLists.txt", "CMakeLists.txt.in", 0644, error) &&
	       write_file(stage, source, code, 0644, error) &&
	       write_file(stage, "test.sh", texts->test ? texts->test : "test.sh", 0755, error) &&
	       write_file(stage, "README.md", "README.md", 0644, error) &&
	       (!texts->extra || write_file(stage, texts->extra_name, texts->extra, 0644, error));
}

/* Also what CMake takes for a target and C for a name. */
static bool check_name(const char *name, struct sluice_error *error)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz", others[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	size_t size = strlen(name);
	if (size > 0 && size <= NAME_MAX_SIZE && strchr(letters, name[0]) && strspn(name, others) == size)
		return true;
	return sluice_error_set(
		error,
		"NAME: expected a lower-case letter and then letters, digits or _, at most %d in all, got \"%s\"",
		NAME_MAX_SIZE, name);
}

static const char *kind_at(const void *context, size_t i)
{
	(void)context;
	return kind_names[i];
}

static bool read_kind(const char *text, enum sluice_kind *kind_out, struct sluice_error *error)
{
	if (kind_from_name(text, kind_out))
		return true;
	const char *close = option_did_you_mean(text, KIND_COUNT, kind_at, NULL);
	return sluice_error_set(error, "KIND: expected auth, parse, idempotency, queue or persist, got \"%s\"%s%s%s",
	                        text, close ? "; did you mean " : "", close ? close : "", close ? "?" : "");
}

static bool is_empty(const char *folder)
{
	DIR *directory = opendir(folder);
	const struct dirent *entry = NULL;
	while (directory && (entry = readdir(directory))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			break;
	}
	if (directory)
		(void)closedir(directory);
	return directory && !entry;
}

/* A folder that exists must be empty: nothing is ever overwritten. */
static bool create_folder(const char *folder, struct sluice_error *error)
{
	if (mkdir(folder, 0755) == 0 || (errno == EEXIST && is_empty(folder)))
		return true;
	if (errno != EEXIST && errno != ENOTDIR)
		return sluice_error_set(error, "%s: cannot be created: %s", folder, strerror(errno));
	return sluice_error_set(error, "%s: exists already: name another folder, or remove it", folder);
}

static bool create(struct new_stage *stage, const char *kind, struct sluice_error *error)
{
	return read_kind(kind, &stage->kind, error) && check_name(stage->name, error) &&
	       create_folder(stage->folder, error) && write_files(stage, error);
}

int cmd_new_stage(int argc, char **argv)
{
	struct command command = {
		.usage = "new-stage KIND NAME [DIR]",
		.about = "Fills a folder (DIR, else the current one if it is empty, else a new one called NAME) with a "
			 "working stage of that kind: its source, three lines of CMake, a test that runs `sluice "
			 "conform`, and a README. KIND is auth, parse, idempotency, queue or persist.",
		.example =
			"mkdir mine && cd mine && sluice new-stage persist mine && cmake -B b && cmake --build b && sluice conform b/mine.so",
		.operands_min = 2,
		.operands_max = 3,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	struct sluice_error error = {0};
	struct new_stage stage = {.name = arguments.operands[1]};
	stage.folder = arguments.operand_count > 2 ? arguments.operands[2] : is_empty(".") ? "." : stage.name;
	bool ok = create(&stage, arguments.operands[0], &error);
	if (ok)
		(void)printf("%s: created; next: cmake -S %s -B b && cmake --build b && ctest --test-dir b\n",
		             stage.folder, stage.folder);
	else
		(void)fprintf(stderr, "sluice new-stage: %s\n", error.text);
	buffer_finish(&stage.card);
	buffer_finish(&stage.yaml);
	arguments_finish(&arguments);
	return ok ? STATUS_YES : STATUS_CANNOT;
}
