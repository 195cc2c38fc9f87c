/*
 * The history; see history.h.
 */
#include "serve/history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/disk_thread.h"
#include "serve/history_image.h"
#include "serve/state_folder.h"
#include "yaml/yaml.h"

/* How long to wait for the disk: little before a way back, which does not depend on it. */
#define BACK_PATIENCE_NS (250 * NS_PER_MS)
#define ADD_PATIENCE_NS NS_PER_S
#define END_PATIENCE_NS (2 * NS_PER_S)

struct history {
	const struct config_request *request;
	struct state_folder folder; /* all zeros: none */
	struct history_image now;
	bool crashed, had_canary, is_saved;
	bool was_latched;                  /* before the last history_go_back() … */
	struct history_latch latch_before; /* … and by what */
	struct config *baseline;           /* NULL: no overlay is on, or it cannot be loaded */

	struct disk_thread *disk;    /* NULL: no folder */
	bool is_writing;             /* the disk's thread has … */
	struct history_image saving; /* … what was so when it began */
	bool is_outdated;            /* something has changed since */
	struct sluice_error baseline_error;
};

/* What runs: the effective pipeline, without its secrets, and the code of its stages. */
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
	for (const struct yaml_node *node = list ? list->first : NULL; node && history->now.count < HISTORY_KEPT;
	     node = node->next) {
		struct history_entry *entry = &history->now.entries[history->now.count++];
		*entry = (struct history_entry){.number = number_of(node, "number"),
		                                .optimizations = must_strdup(text_of(node, "optimizations")),
		                                .left = is_true(node, "left"),
		                                .has_source = true};
		(void)snprintf(entry->sha256, sizeof(entry->sha256), "%s", text_of(node, "sha256"));
	}
}

static bool read_state(struct history *history, struct sluice_error *error)
{
	struct arena arena;
	struct buffer bytes = {0};
	char path[STATE_PATH_SIZE];
	state_folder_path(&history->folder, HISTORY_STATE, path);
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return true;
	arena_init(&arena, 4096, NULL);
	const struct yaml_node *top = yaml_read_bytes(path, &bytes, error)
	                                      ? yaml_read_text(path, bytes.data ? bytes.data : "", bytes.size, &arena,
	                                                       error)
	                                      : NULL;
	if (top) {
		const struct yaml_node *latch = yaml_get(top, "rolled_back");
		history->now.next = number_of(top, "next");
		history->crashed = is_true(top, "running");
		history->had_canary = is_true(top, "canary");
		history->now.is_latched = latch != NULL;
		history->now.latch.left = number_of(latch, "left");
		history->now.latch.at_ms = number_of(latch, "at_ms");
		(void)snprintf(history->now.latch.reason, sizeof(history->now.latch.reason), "%s",
		               text_of(latch, "reason"));
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
	history->now = (struct history_image){.folder = &history->folder, .next = 1, .running = true};
	history->is_saved = true;
	if (!folder)
		return history;
	if (state_folder_open(&history->folder, folder, base_name(request->file), error) &&
	    read_state(history, error) && (history->disk = disk_thread_start(error)))
		return history;
	history_close(history, false);
	return NULL;
}

static void note_change(struct history *history)
{
	history->is_saved = false;
	history->is_outdated = true;
}

static void write_image(void *image)
{
	history_image_write(image);
}

/* A source that was written is that of an entry, or of one by the same number that was withdrawn. */
static void note_source(struct history *history, const struct history_entry *saved)
{
	for (size_t i = 0; i < history->now.count; i++) {
		struct history_entry *entry = &history->now.entries[i];
		if (entry->number == saved->number && entry->config == saved->config)
			entry->has_source = saved->has_source;
	}
}

static void begin_writing(struct history *history)
{
	history_image_copy(&history->saving, &history->now);
	history->is_outdated = false;
	history->is_writing = true;
	disk_thread_begin(history->disk, write_image, &history->saving);
}

static bool end_writing(struct history *history, struct sluice_error *error)
{
	struct history_image *saved = &history->saving;
	const bool is_written = saved->is_written;
	for (size_t i = 0; i < saved->count; i++)
		note_source(history, &saved->entries[i]);
	if (!is_written)
		*error = saved->error;
	history->is_writing = false;
	history->is_saved = is_written && !history->is_outdated;
	history_image_finish(saved);
	return is_written;
}

bool history_save(struct history *history, int64_t patience_ns, struct sluice_error *error)
{
	const int64_t until_ns = clock_now_ns() + patience_ns;
	while (!history->is_saved && history->disk) {
		if (!history->is_writing)
			begin_writing(history);
		int64_t left_ns = until_ns - clock_now_ns();
		if (!disk_thread_wait(history->disk, left_ns > 0 ? left_ns : 0))
			return sluice_error_set(error, "%s: not written yet: the disk does not respond",
			                        history->folder.path);
		if (!end_writing(history, error))
			return false;
	}
	return history->is_saved = true;
}

void history_close(struct history *history, bool clean)
{
	struct sluice_error error = {0};
	if (!history)
		return;
	history->now.running = !clean;
	if (clean)
		note_change(history);
	if (clean && !history_save(history, END_PATIENCE_NS, &error))
		log_event(SLUICE_LOG_WARN, NULL, "history_not_written", sluice_text("reason", error.text));
	if (history->disk && !disk_thread_wait(history->disk, END_PATIENCE_NS))
		return; /* what a disk that hangs is to write stays until the process ends */
	if (history->disk)
		disk_thread_stop(history->disk);
	if (history->is_writing)
		history_image_finish(&history->saving);
	history_image_finish(&history->now);
	config_free(history->baseline);
	state_folder_close(&history->folder);
	free(history);
}

int64_t history_next(const struct history *history)
{
	return history->now.next;
}

bool history_is_durable(const struct history *history)
{
	return history->folder.path != NULL;
}

const struct history_latch *history_latch(const struct history *history)
{
	return history->now.is_latched ? &history->now.latch : NULL;
}

bool history_stop(struct history *history, const struct history_latch *latch, struct sluice_error *error)
{
	history->now.is_latched = true;
	history->now.latch = *latch;
	note_change(history);
	return history_save(history, BACK_PATIENCE_NS, error);
}

void history_set_canary(struct history *history, bool is_on)
{
	if (history->now.canary == is_on)
		return;
	history->now.canary = is_on;
	note_change(history);
}

bool history_had_canary(const struct history *history)
{
	return history->had_canary;
}

bool history_crashed(const struct history *history)
{
	return history->crashed && history->now.count > 0;
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

static struct config *load_entry(const struct history *history, const struct history_entry *entry,
                                 struct sluice_error *error)
{
	struct buffer bytes = {0};
	char suffix[HISTORY_SUFFIX_SIZE], path[STATE_PATH_SIZE];
	if (entry->config)
		return config_share(entry->config);
	(void)snprintf(suffix, sizeof(suffix), "%" PRId64, entry->number);
	state_folder_path(&history->folder, suffix, path);
	struct config *config = NULL;
	if (yaml_read_bytes(path, &bytes, error)) {
		const struct sluice_bytes source = {bytes.data ? bytes.data : "", bytes.size};
		config = load(history, &source, entry->optimizations, error);
	}
	buffer_finish(&bytes);
	return config;
}

static void warn_if_changed(const struct history_entry *entry, const struct config *config)
{
	char sha256[DIGEST_HEX_SIZE];
	fingerprint(config, sha256);
	if (strcmp(sha256, entry->sha256) != 0)
		log_event(SLUICE_LOG_WARN, NULL, "generation_differs", sluice_int("generation", entry->number),
		          sluice_text("reason", "the environment, the command line or a stage's file has changed"));
}

/* Secrets included: what the folder has no digest of is loaded to be compared. */
static bool is_same(const struct history *history, const struct history_entry *entry, const struct config *config)
{
	struct sluice_error ignored = {0};
	char sha256[DIGEST_HEX_SIZE];
	fingerprint(config, sha256);
	if (strcmp(entry->sha256, sha256) != 0)
		return false;
	struct config *loaded = load_entry(history, entry, &ignored);
	const bool is_same = !loaded || config_same(loaded, config);
	config_free(loaded);
	return is_same;
}

static bool fits(const struct history *history, const struct history_entry *entry, int64_t number,
                 const struct config *now)
{
	if (number > 0)
		return entry->number == number;
	return !entry->left && (number == HISTORY_LAST || !now || !is_same(history, entry, now));
}

struct config *history_find(struct history *history, int64_t number, const struct config *now,
                            struct sluice_error *error)
{
	for (size_t i = history->now.count; i-- > 0;) {
		const struct history_entry *entry = &history->now.entries[i];
		if (!fits(history, entry, number, now))
			continue;
		struct config *config = load_entry(history, entry, error);
		if (config)
			warn_if_changed(entry, config);
		if (config || number != HISTORY_LAST)
			return config;
		log_event(SLUICE_LOG_ERROR, NULL, "generation_not_loaded", sluice_int("generation", entry->number),
		          sluice_text("reason", error->text));
	}
	if (number > 0)
		(void)sluice_error_set(error, "generation %" PRId64 " is not among the last %d", number, HISTORY_KEPT);
	else if (number == 0)
		(void)sluice_error_set(error, "there is no earlier generation that differs from the one that serves");
	else if (!error->text[0])
		(void)sluice_error_set(error, "there is no generation that was not left");
	return NULL;
}

void history_load_earlier(const struct history *history, struct config *configs[HISTORY_KEPT + 1])
{
	size_t count = 0;
	for (size_t i = 0; i < history->now.count; i++) {
		const struct history_entry *entry = &history->now.entries[i];
		struct sluice_error why = {0};
		if (entry->config)
			continue;
		if ((configs[count] = load_entry(history, entry, &why)))
			count++;
		else
			log_event(SLUICE_LOG_WARN, NULL, "backlog_not_searched",
			          sluice_int("generation", entry->number), sluice_text("reason", why.text));
	}
	configs[count] = NULL;
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

static void drop(struct history *history, size_t index)
{
	config_free(history->now.entries[index].config);
	free(history->now.entries[index].optimizations);
	history->now.count--;
	memmove(&history->now.entries[index], &history->now.entries[index + 1],
	        (history->now.count - index) * sizeof(history->now.entries[0]));
}

static void append(struct history *history, int64_t number, const struct config *config)
{
	struct buffer optimizations = {0};
	if (history->now.count == HISTORY_KEPT)
		drop(history, 0);
	config_print_optimizations(config, ",", &optimizations);
	struct history_entry *entry = &history->now.entries[history->now.count++];
	*entry = (struct history_entry){
		.number = number, .config = config_share(config), .optimizations = buffer_take(&optimizations)};
	fingerprint(config, entry->sha256);
	history->now.next = number + 1;
	note_change(history);
}

bool history_is_saved(const struct history *history)
{
	return history->is_saved;
}

bool history_add(struct history *history, int64_t number, const struct config *config, struct sluice_error *error)
{
	if (history->now.next <= number)
		append(history, number, config);
	load_baseline(history, config);
	return history_save(history, ADD_PATIENCE_NS, error);
}

/* All that are the same as that generation. */
static void leave(struct history *history, int64_t number, int64_t target)
{
	struct config *config = NULL;
	for (size_t i = 0; i < history->now.count; i++)
		if (history->now.entries[i].number == number && history->now.entries[i].config)
			config = config_share(history->now.entries[i].config);
	for (size_t i = 0; i < history->now.count; i++) {
		struct history_entry *entry = &history->now.entries[i];
		if (entry->left || (entry->number != number && !(config && is_same(history, entry, config))))
			continue;
		entry->left = true;
		entry->left_for = target;
	}
	config_free(config);
}

bool history_go_back(struct history *history, int64_t number, const struct config *config,
                     const struct history_latch *latch, struct sluice_error *error)
{
	history->was_latched = history->now.is_latched;
	history->latch_before = history->now.latch;
	history->now.is_latched = true;
	history->now.latch = *latch;
	leave(history, latch->left, number);
	append(history, number, config);
	return history_save(history, BACK_PATIENCE_NS, error);
}

bool history_withdraw(struct history *history, int64_t number, struct sluice_error *error)
{
	history->now.is_latched = history->was_latched;
	history->now.latch = history->latch_before;
	for (size_t i = 0; i < history->now.count; i++)
		if (history->now.entries[i].left_for == number)
			history->now.entries[i].left = false;
	drop(history, history->now.count - 1);
	history->now.next = number;
	note_change(history);
	return history_save(history, BACK_PATIENCE_NS, error);
}

void history_lift(struct history *history)
{
	history->now.is_latched = false;
	note_change(history);
}
