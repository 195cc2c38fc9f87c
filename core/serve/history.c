/*
 * The history; see history.h.
 */
#include "serve/history.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json_writer.h"
#include "base/log.h"
#include "yaml/yaml.h"

enum { PATH_SIZE = 4096 };

struct entry {
	int64_t number;
	struct config *config; /* NULL: of an earlier process, not loaded */
	char *optimizations;   /* "a,b" */
	char sha256[DIGEST_HEX_SIZE];
	bool left;
};

struct history {
	const struct config_request *request;
	char *folder, *name; /* of the pipeline file, without its folder; the files' names begin with it */
	struct entry entries[HISTORY_KEPT]; /* oldest first */
	size_t count;
	int64_t next;
	bool crashed, is_latched;
	struct history_latch latch;
	struct config *baseline; /* NULL: no overlay is on, or it cannot be loaded */
	struct sluice_error baseline_error;
};

/* What runs: the effective pipeline and the code of its stages. */
static void fingerprint(const struct config *config, char sha256[DIGEST_HEX_SIZE])
{
	struct buffer text = {0};
	uint8_t digest[SLUICE_DIGEST_SIZE];
	buffer_add_text(&text, config->sha256);
	for (size_t kind = 0; kind < KIND_COUNT; kind++)
		if (config->stages[kind].present)
			buffer_printf(&text, " %s", config->stages[kind].plugin->sha256);
	digest_bytes(text.data, text.size, digest);
	digest_hex(digest, sha256);
	buffer_finish(&text);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static void state_path(const struct history *history, const char *suffix, char path[PATH_SIZE])
{
	(void)snprintf(path, PATH_SIZE, "%s/%s.%s", history->folder, history->name, suffix);
}

static void source_path(const struct history *history, int64_t number, char path[PATH_SIZE])
{
	char suffix[32];
	(void)snprintf(suffix, sizeof(suffix), "%" PRId64, number);
	state_path(history, suffix, path);
}

static bool write_all(int fd, const char *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t count = write(fd, data + done, size - done);
		if (count < 0 && errno != EINTR)
			return false;
		done += count > 0 ? (size_t)count : 0;
	}
	return true;
}

static bool sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		(void)close(fd);
	return ok;
}

/* Whole and on the disk under its name, or the old one still. */
static bool replace_file(const struct history *history, const char *path, const char *data, size_t size,
                         struct sluice_error *error)
{
	char draft[PATH_SIZE + sizeof(".new")];
	(void)snprintf(draft, sizeof(draft), "%s.new", path);
	int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && write_all(fd, data, size) && fsync(fd) == 0;
	if (fd >= 0 && close(fd) != 0)
		ok = false;
	if (ok && rename(draft, path) == 0 && sync_folder(history->folder))
		return true;
	return sluice_error_set(error, "%s: cannot be written: %s", path, strerror(errno));
}

static void write_entry(struct json_writer *json, const struct entry *entry)
{
	jsonw_object(json, NULL);
	jsonw_int(json, "number", entry->number);
	jsonw_text(json, "optimizations", entry->optimizations);
	jsonw_text(json, "sha256", entry->sha256);
	jsonw_bool(json, "left", entry->left);
	jsonw_end_object(json);
}

static void write_latch(struct json_writer *json, const struct history_latch *latch)
{
	jsonw_object(json, "rolled_back");
	jsonw_int(json, "left", latch->left);
	jsonw_int(json, "at_ms", latch->at_ms);
	jsonw_text(json, "reason", latch->reason);
	jsonw_end_object(json);
}

static bool write_state(const struct history *history, bool running, struct sluice_error *error)
{
	struct buffer text = {0};
	struct json_writer json = {.out = &text};
	char path[PATH_SIZE];
	if (!history->folder)
		return true;
	jsonw_object(&json, NULL);
	jsonw_bool(&json, "running", running);
	jsonw_int(&json, "next", history->next);
	if (history->is_latched)
		write_latch(&json, &history->latch);
	jsonw_array(&json, "generations");
	for (size_t i = 0; i < history->count; i++)
		write_entry(&json, &history->entries[i]);
	jsonw_end_array(&json);
	jsonw_end_object(&json);
	buffer_add_text(&text, "\n");
	state_path(history, "generations.json", path);
	bool ok = replace_file(history, path, text.data, text.size, error);
	buffer_finish(&text);
	return ok;
}

static const char *text_of(const struct yaml_node *map, const char *key)
{
	const struct yaml_node *node = yaml_get(map, key);
	return node && node->type == YAML_TEXT ? node->text : "";
}

static int64_t number_of(const struct yaml_node *map, const char *key)
{
	return strtoll(text_of(map, key), NULL, 10);
}

static bool is_true(const struct yaml_node *map, const char *key)
{
	return strcmp(text_of(map, key), "true") == 0;
}

static void read_entries(struct history *history, const struct yaml_node *list)
{
	for (const struct yaml_node *node = list ? list->first : NULL; node && history->count < HISTORY_KEPT;
	     node = node->next) {
		struct entry *entry = &history->entries[history->count++];
		*entry = (struct entry){.number = number_of(node, "number"),
		                        .optimizations = must_strdup(text_of(node, "optimizations")),
		                        .left = is_true(node, "left")};
		(void)snprintf(entry->sha256, sizeof(entry->sha256), "%s", text_of(node, "sha256"));
	}
}

static bool read_state(struct history *history, struct sluice_error *error)
{
	struct arena arena;
	struct buffer bytes = {0};
	char path[PATH_SIZE];
	state_path(history, "generations.json", path);
	if (access(path, F_OK) != 0)
		return true;
	arena_init(&arena, 4096, NULL);
	const struct yaml_node *top = yaml_read_bytes(path, &bytes, error)
	                                      ? yaml_read_text(path, bytes.data ? bytes.data : "", bytes.size, &arena,
	                                                       error)
	                                      : NULL;
	if (top) {
		const struct yaml_node *latch = yaml_get(top, "rolled_back");
		history->next = number_of(top, "next");
		history->crashed = is_true(top, "running");
		history->is_latched = latch != NULL;
		history->latch.left = number_of(latch, "left");
		history->latch.at_ms = number_of(latch, "at_ms");
		(void)snprintf(history->latch.reason, sizeof(history->latch.reason), "%s", text_of(latch, "reason"));
		read_entries(history, yaml_get(top, "generations"));
	}
	arena_finish(&arena);
	buffer_finish(&bytes);
	return top;
}

struct history *history_open(const char *folder, const struct config_request *request, struct sluice_error *error)
{
	struct history *history = must_calloc(1, sizeof(*history));
	history->request = request;
	history->name = must_strdup(base_name(request->file));
	history->next = 1;
	if (!folder)
		return history;
	history->folder = must_strdup(folder);
	if (mkdir(folder, 0700) != 0 && errno != EEXIST)
		(void)sluice_error_set(error, "%s: cannot be created: %s", folder, strerror(errno));
	else if (read_state(history, error))
		return history;
	history_close(history, false);
	return NULL;
}

static void free_entry(struct entry *entry)
{
	config_free(entry->config);
	free(entry->optimizations);
}

void history_close(struct history *history, bool clean)
{
	struct sluice_error error = {0};
	if (!history)
		return;
	if (clean && !write_state(history, false, &error))
		log_event(SLUICE_LOG_WARN, NULL, "history_not_written", sluice_text("reason", error.text));
	for (size_t i = 0; i < history->count; i++)
		free_entry(&history->entries[i]);
	config_free(history->baseline);
	free(history->folder);
	free(history->name);
	free(history);
}

int64_t history_next(const struct history *history)
{
	return history->next;
}

const struct history_latch *history_latch(const struct history *history)
{
	return history->is_latched ? &history->latch : NULL;
}

bool history_crashed(const struct history *history)
{
	return history->crashed && history->count > 0;
}

/* What this source is with exactly these overlays: none where the list is empty. */
static struct config *load(const struct history *history, const struct sluice_bytes *source, const char *optimizations,
                           struct sluice_error *error)
{
	struct config_request request = *history->request;
	request.source = source;
	request.enable = request.disable = NULL;
	request.optimizations = *optimizations ? optimizations : "false";
	request.optimizations_from = "the history";
	return config_load(&request, error);
}

static struct config *load_entry(const struct history *history, const struct entry *entry, struct sluice_error *error)
{
	struct buffer bytes = {0};
	char path[PATH_SIZE];
	if (entry->config)
		return config_share(entry->config);
	source_path(history, entry->number, path);
	struct config *config = NULL;
	if (yaml_read_bytes(path, &bytes, error)) {
		const struct sluice_bytes source = {bytes.data ? bytes.data : "", bytes.size};
		config = load(history, &source, entry->optimizations, error);
	}
	buffer_finish(&bytes);
	char sha256[DIGEST_HEX_SIZE] = "";
	if (config)
		fingerprint(config, sha256);
	if (config && strcmp(sha256, entry->sha256) != 0)
		log_event(SLUICE_LOG_WARN, NULL, "generation_differs", sluice_int("generation", entry->number),
		          sluice_text("reason", "the environment, the command line or a stage's file has changed"));
	return config;
}

static bool fits(const struct entry *entry, int64_t number, const struct config *now)
{
	if (number != 0)
		return number < 0 || entry->number == number;
	char sha256[DIGEST_HEX_SIZE] = "";
	if (now)
		fingerprint(now, sha256);
	return !entry->left && strcmp(entry->sha256, sha256) != 0;
}

struct config *history_find(struct history *history, int64_t number, const struct config *now,
                            struct sluice_error *error)
{
	for (size_t i = history->count; i-- > 0;)
		if (fits(&history->entries[i], number, now))
			return load_entry(history, &history->entries[i], error);
	if (number > 0)
		(void)sluice_error_set(error, "generation %" PRId64 " is not among the last %d", number, HISTORY_KEPT);
	else
		(void)sluice_error_set(error, "there is no earlier generation that differs from the one that serves");
	return NULL;
}

struct config *history_baseline(struct history *history, struct sluice_error *error)
{
	if (!history->baseline)
		*error = history->baseline_error;
	return history->baseline ? config_share(history->baseline) : NULL;
}

static void load_baseline(struct history *history, const struct config *config)
{
	config_free(history->baseline);
	history->baseline_error = (struct sluice_error){0};
	history->baseline = config->optimizations && config->optimizations[0]
	                            ? load(history, &config->source, "", &history->baseline_error)
	                            : config_share(config);
	if (!history->baseline)
		log_event(SLUICE_LOG_WARN, NULL, "baseline_not_available",
		          sluice_text("reason", history->baseline_error.text));
}

static void drop_oldest(struct history *history)
{
	char path[PATH_SIZE];
	if (history->folder) {
		source_path(history, history->entries[0].number, path);
		(void)unlink(path);
	}
	free_entry(&history->entries[0]);
	history->count--;
	memmove(&history->entries[0], &history->entries[1], history->count * sizeof(history->entries[0]));
}

/* All that were the same as that generation. */
static void leave(struct history *history, int64_t number)
{
	const char *sha256 = "";
	for (size_t i = 0; i < history->count; i++)
		if (history->entries[i].number == number)
			sha256 = history->entries[i].sha256;
	for (size_t i = 0; i < history->count; i++)
		if (strcmp(history->entries[i].sha256, sha256) == 0)
			history->entries[i].left = true;
}

bool history_add(struct history *history, int64_t number, const struct config *config,
                 const struct history_latch *latch, struct sluice_error *error)
{
	struct buffer optimizations = {0};
	char path[PATH_SIZE];
	if (history->count == HISTORY_KEPT)
		drop_oldest(history);
	config_print_optimizations(config, ",", &optimizations);
	struct entry *entry = &history->entries[history->count++];
	*entry = (struct entry){
		.number = number, .config = config_share(config), .optimizations = buffer_take(&optimizations)};
	fingerprint(config, entry->sha256);
	history->next = number + 1;
	history->is_latched = latch != NULL;
	if (latch && latch != &history->latch) {
		history->latch = *latch;
		leave(history, latch->left);
		entry->left = false;
	}
	load_baseline(history, config);
	if (!history->folder)
		return true;
	source_path(history, number, path);
	return replace_file(history, path, config->source.data, config->source.size, error) &&
	       write_state(history, true, error);
}

bool history_lift(struct history *history, struct sluice_error *error)
{
	history->is_latched = false;
	return write_state(history, true, error);
}
