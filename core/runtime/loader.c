/*
 * Where stages are looked for, and how one becomes a plugin: its module (module.h) is opened and its table (abi.h)
 * copied.
 */
#include "runtime/loader.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "runtime/abi.h"
#include "runtime/module.h"
#include "yaml/option.h"

const char *const kind_names[] = {"auth", "parse", "idempotency", "queue", "persist", NULL};

bool kind_from_name(const char *name, enum sluice_kind *kind_out)
{
	for (int i = 0; i < KIND_COUNT; i++) {
		if (strcmp(name, kind_names[i]) == 0) {
			*kind_out = (enum sluice_kind)i;
			return true;
		}
	}
	return false;
}

static char *join(const char *folder, const char *rest)
{
	struct buffer path = {0};
	buffer_printf(&path, "%s%s", folder, rest);
	return buffer_take(&path);
}

/* Adds `folder`, which the list then owns. */
static char **add_folder(char **path, char *folder)
{
	size_t count = 0;
	while (path && path[count])
		count++;
	path = must_realloc(path, (count + 2) * sizeof(*path));
	path[count] = folder;
	path[count + 1] = NULL;
	return path;
}

static char **split_path(const char *text)
{
	char **path = must_calloc(1, sizeof(*path));
	while (*text) {
		size_t size = strcspn(text, ":");
		if (size) {
			struct buffer folder = {0};
			buffer_add(&folder, text, size);
			path = add_folder(path, buffer_take(&folder));
		}
		text += size + (text[size] == ':');
	}
	return path;
}

/* Both places of stages below `folder`. */
static char **add_places(char **path, const char *folder)
{
	path = add_folder(path, join(folder, "/stages"));
	return add_folder(path, join(folder, "/plugins"));
}

static char **default_path(void)
{
	char **path = must_calloc(1, sizeof(*path));
	char executable[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", executable, sizeof(executable) - 1);
	if (size <= 0)
		return path;
	executable[size] = '\0';
	*strrchr(executable, '/') = '\0';
	path = add_places(path, executable);
	char *installed = join(executable, "/" SLUICE_INSTALLED_STAGES);
	char *resolved = realpath(installed, NULL);
	if (resolved)
		path = add_places(path, resolved);
	free(resolved);
	free(installed);
	return path;
}

char **loader_stage_path(const char *option)
{
	const char *text = option ? option : getenv("SLUICE_STAGE_PATH");
	return text && *text ? split_path(text) : default_path();
}

void loader_free_path(char **path)
{
	for (char **folder = path; folder && *folder; folder++)
		free(*folder);
	free(path);
}

/* A stage file that lies on the path. */
struct found {
	char *name, *file;
	size_t folder; /* which of the path has it */
};

struct found_list {
	struct found *items;
	size_t count;
};

static int compare_found(const void *a, const void *b)
{
	const struct found *one = a, *other = b;
	int order = strcmp(one->name, other->name);
	return order ? order : (one->folder > other->folder) - (one->folder < other->folder);
}

static void find_in(const char *folder, size_t number, enum sluice_kind kind, struct found_list *list)
{
	struct buffer place = {0};
	buffer_printf(&place, "%s/%s", folder, kind_names[kind]);
	DIR *directory = opendir(place.data);
	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		size_t size = strlen(entry->d_name);
		if (size <= 3 || strcmp(entry->d_name + size - 3, ".so") != 0)
			continue;
		struct buffer file = {0};
		buffer_printf(&file, "%s/%s", place.data, entry->d_name);
		list->items = must_realloc(list->items, (list->count + 1) * sizeof(*list->items));
		struct found *found = &list->items[list->count++];
		*found = (struct found){
			.name = must_strdup(entry->d_name), .file = buffer_take(&file), .folder = number};
		found->name[size - 3] = '\0';
	}
	if (directory)
		closedir(directory);
	buffer_finish(&place);
}

/* All files of a kind, by name; those of one name in the order of the path. */
static struct found_list find_all(char *const *stage_path, enum sluice_kind kind)
{
	struct found_list list = {0};
	for (size_t i = 0; stage_path[i]; i++)
		find_in(stage_path[i], i, kind, &list);
	if (list.count)
		qsort(list.items, list.count, sizeof(*list.items), compare_found);
	return list;
}

static void found_finish(struct found_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].name);
		free(list->items[i].file);
	}
	free(list->items);
}

static const char *found_name_at(const void *context, size_t i)
{
	return ((const struct found *)context)[i].name;
}

/* The first file of that name on the path, for the caller to free; or NULL with what there is instead. */
static char *find_file(char *const *stage_path, enum sluice_kind kind, const char *use, struct sluice_error *error)
{
	struct found_list list = find_all(stage_path, kind);
	char *file = NULL;
	for (size_t i = 0; i < list.count && !file; i++) {
		if (strcmp(list.items[i].name, use) == 0)
			file = must_strdup(list.items[i].file);
	}
	if (!file) {
		struct buffer folders = {0};
		for (char *const *folder = stage_path; *folder; folder++)
			buffer_printf(&folders, "%s%s", folder == stage_path ? "" : ":", *folder);
		const char *close = option_did_you_mean(use, list.count, found_name_at, list.items);
		sluice_error_set(error, "stage %s/%s not found on the stage path %s%s%s%s", kind_names[kind], use,
		                 folders.data ? folders.data : "",
		                 close ? "; did you mean \"" : ": build it there, or give the path of its .so file",
		                 close ? close : "", close ? "\"?" : "");
		buffer_finish(&folders);
	}
	found_finish(&list);
	return file;
}

char *loader_find(char *const *stage_path, const char *name)
{
	for (size_t i = 0; stage_path[i]; i++) {
		struct buffer file = {0};
		buffer_printf(&file, "%s/%s", stage_path[i], name);
		if (access(file.data, R_OK) == 0)
			return buffer_take(&file);
		buffer_finish(&file);
	}
	return NULL;
}

static bool is_file_name(const char *use)
{
	size_t size = strlen(use);
	return strchr(use, '/') || (size > 3 && strcmp(use + size - 3, ".so") == 0);
}

/* Opens and proves the file; the error lacks the path. */
static bool plugin_open(struct plugin *plugin, const char *file, struct loader_pin *pin, struct sluice_error *error)
{
	plugin->module = module_open(file, plugin->sha256, pin, error);
	if (!plugin->module)
		return false;
	size_t size = 0;
	const void *symbol = module_symbol(plugin->module, SLUICE_STAGE_SYMBOL, &size);
	if (!symbol) {
		sluice_error_set(error, "exports no " SLUICE_STAGE_SYMBOL ": end the stage with SLUICE_STAGE()");
		goto opened;
	}
	if (!abi_copy(&plugin->ops, &plugin->kind, symbol, size, error))
		goto opened;
	if (!abi_check(&plugin->ops, error))
		goto copied;
	return true;
copied:
	abi_finish(&plugin->ops);
opened:
	module_close(plugin->module);
	return false;
}

static struct plugin *open_file(const char *file, struct loader_pin *pin, struct sluice_error *error)
{
	struct sluice_error cause = {0};
	struct plugin *plugin = must_calloc(1, sizeof(*plugin));
	if (!plugin_open(plugin, file, pin, &cause)) {
		sluice_error_set(error, "%s: %s", file, cause.text);
		free(plugin);
		return NULL;
	}
	plugin->path = must_strdup(file);
	return plugin;
}

struct plugin *loader_open_file(const char *file, struct sluice_error *error)
{
	struct loader_pin any = {0};
	return open_file(file, &any, error);
}

struct plugin *loader_open(char *const *stage_path, enum sluice_kind kind, const char *use, struct sluice_error *error)
{
	struct loader_pin any = {0};
	return loader_open_pinned(stage_path, kind, use, &any, error);
}

struct plugin *loader_open_pinned(char *const *stage_path, enum sluice_kind kind, const char *use,
                                  struct loader_pin *pin, struct sluice_error *error)
{
	char *file = is_file_name(use) ? must_strdup(use) : find_file(stage_path, kind, use, error);
	struct plugin *plugin = file ? open_file(file, pin, error) : NULL;
	if (plugin && plugin->ops.kind != kind) {
		const char *is = kind_names[plugin->ops.kind];
		sluice_error_set(error, "%s: is a stage of kind %s, not %s: give it under \"%s:\"", file, is,
		                 kind_names[kind], is);
		loader_close(plugin);
		plugin = NULL;
	}
	free(file);
	return plugin;
}

void loader_close(struct plugin *plugin)
{
	if (!plugin)
		return;
	abi_finish(&plugin->ops);
	module_close(plugin->module);
	free(plugin->path);
	free(plugin);
}

void loader_list(char *const *stage_path, void (*each)(void *context, enum sluice_kind kind, const char *file),
                 void *context)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		struct found_list list = find_all(stage_path, (enum sluice_kind)kind);
		for (size_t i = 0; i < list.count; i++) {
			if (i == 0 || strcmp(list.items[i].name, list.items[i - 1].name) != 0)
				each(context, (enum sluice_kind)kind, list.items[i].file);
		}
		found_finish(&list);
	}
}
