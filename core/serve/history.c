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

#include "base/json_writer.h"
#include "base/log.h"
#include "serve/state_folder.h"
#include "yaml/yaml.h"

enum { SUFFIX_SIZE = 32 };

static const char state_suffix[] = "generations.json";

struct entry {
	int64_t number;
	struct config *config; /* NULL: of an earlier process, not loaded */
	char *optimizations;   /* "a,b" */
	char sha256[DIGEST_HEX_SIZE];
	bool left;        /* by a rollback … */
	int64_t left_for; /* … to this generation; 0: in an earlier process */
	bool has_source;  /* in the folder */
};

struct history {
	const struct config_request *request;
	struct state_folder folder;         /* all zeros: none */
	struct entry entries[HISTORY_KEPT]; /* oldest first */
	size_t count;
	int64_t next;
	bool crashed, is_saved, is_latched, was_latched;
	struct history_latch latch, latch_before; /* what holds; what held before the last history_go_back() */
	struct config *baseline;                  /* NULL: no overlay is on, or it cannot be loaded */
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

static bool keeps(const void *context, int64_t number)
{
	const struct history *history = context;
	for (size_t i = 0; i < history->count; i++)
		if (history->entries[i].number == number)
			return true;
	return false;
}

static bool write_source(const struct history *history, const struct entry *entry, struct sluice_error *error)
{
	const struct sluice_bytes source = entry->config ? entry->config->source : (struct sluice_bytes){"", 0};
	char suffix[SUFFIX_SIZE];
	(void)snprintf(suffix, sizeof(suffix), "%" PRId64, entry->number);
	return state_folder_write(&history->folder, suffix, source.data, source.size, error);
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

/* An entry without its source is left out: nothing could be loaded from it. */
static bool write_state(const struct history *history, bool running, struct sluice_error *error)
{
	struct buffer text = {0};
	struct json_writer json = {.out = &text};
	jsonw_object(&json, NULL);
	jsonw_bool(&json, "running", running);
	jsonw_int(&json, "next", history->next);
	if (history->is_latched)
		write_latch(&json, &history->latch);
	jsonw_array(&json, "generations");
	for (size_t i = 0; i < history->count; i++)
		if (history->entries[i].has_source)
			write_entry(&json, &history->entries[i]);
	jsonw_end_array(&json);
	jsonw_end_object(&json);
	buffer_add_text(&text, "\n");
	bool ok = state_folder_write(&history->folder, state_suffix, text.data, text.size, error);
	buffer_finish(&text);
	return ok;
}

/* A source is there before the state names it, and as long as it does. */
static bool save(struct history *history, bool running, struct sluice_error *error)
{
	bool ok = true;
	if (!history->folder.path)
		return true;
	for (size_t i = 0; i < history->count; i++) {
		struct entry *entry = &history->entries[i];
		entry->has_source = entry->has_source || write_source(history, entry, error);
		ok = ok && entry->has_source;
	}
	if (!write_state(history, running, error))
		return false;
	state_folder_prune(&history->folder, keeps, history);
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
	state_folder_path(&history->folder, state_suffix, path);
	if (access(path, F_OK) != 0 && errno == ENOENT)
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
	history->next = 1;
	history->is_saved = true;
	if (!folder)
		return history;
	if (state_folder_open(&history->folder, folder, base_name(request->file), error) && read_state(history, error))
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
	if (clean && !save(history, false, &error))
		log_event(SLUICE_LOG_WARN, NULL, "history_not_written", sluice_text("reason", error.text));
	for (size_t i = 0; i < history->count; i++)
		free_entry(&history->entries[i]);
	config_free(history->baseline);
	state_folder_close(&history->folder);
	free(history);
}

int64_t history_next(const struct history *history)
{
	return history->next;
}

bool history_is_durable(const struct history *history)
{
	return history->folder.path != NULL;
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
	char suffix[SUFFIX_SIZE], path[STATE_PATH_SIZE];
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

static void warn_if_changed(const struct entry *entry, const struct config *config)
{
	char sha256[DIGEST_HEX_SIZE];
	fingerprint(config, sha256);
	if (strcmp(sha256, entry->sha256) != 0)
		log_event(SLUICE_LOG_WARN, NULL, "generation_differs", sluice_int("generation", entry->number),
		          sluice_text("reason", "the environment, the command line or a stage's file has changed"));
}

/* Secrets included: what the folder has no digest of is loaded to be compared. */
static bool is_same(const struct history *history, const struct entry *entry, const struct config *config)
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

static bool fits(const struct history *history, const struct entry *entry, int64_t number, const struct config *now)
{
	if (number > 0)
		return entry->number == number;
	return !entry->left && (number == HISTORY_LAST || !now || !is_same(history, entry, now));
}

struct config *history_find(struct history *history, int64_t number, const struct config *now,
                            struct sluice_error *error)
{
	for (size_t i = history->count; i-- > 0;) {
		const struct entry *entry = &history->entries[i];
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
	for (size_t i = 0; i < history->count; i++) {
		const struct entry *entry = &history->entries[i];
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
	free_entry(&history->entries[index]);
	history->count--;
	memmove(&history->entries[index], &history->entries[index + 1],
	        (history->count - index) * sizeof(history->entries[0]));
}

static void append(struct history *history, int64_t number, const struct config *config)
{
	struct buffer optimizations = {0};
	if (history->count == HISTORY_KEPT)
		drop(history, 0);
	config_print_optimizations(config, ",", &optimizations);
	struct entry *entry = &history->entries[history->count++];
	*entry = (struct entry){
		.number = number, .config = config_share(config), .optimizations = buffer_take(&optimizations)};
	fingerprint(config, entry->sha256);
	history->next = number + 1;
	history->is_saved = false;
}

bool history_save(struct history *history, struct sluice_error *error)
{
	history->is_saved = history->is_saved || save(history, true, error);
	return history->is_saved;
}

bool history_is_saved(const struct history *history)
{
	return history->is_saved;
}

bool history_add(struct history *history, int64_t number, const struct config *config, struct sluice_error *error)
{
	if (history->next <= number)
		append(history, number, config);
	load_baseline(history, config);
	return history_save(history, error);
}

/* All that are the same as that generation. */
static void leave(struct history *history, int64_t number, int64_t target)
{
	struct config *config = NULL;
	for (size_t i = 0; i < history->count; i++)
		if (history->entries[i].number == number && history->entries[i].config)
			config = config_share(history->entries[i].config);
	for (size_t i = 0; i < history->count; i++) {
		struct entry *entry = &history->entries[i];
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
	history->was_latched = history->is_latched;
	history->latch_before = history->latch;
	history->is_latched = true;
	history->latch = *latch;
	leave(history, latch->left, number);
	append(history, number, config);
	return history_save(history, error);
}

bool history_withdraw(struct history *history, int64_t number, struct sluice_error *error)
{
	history->is_latched = history->was_latched;
	history->latch = history->latch_before;
	for (size_t i = 0; i < history->count; i++)
		if (history->entries[i].left_for == number)
			history->entries[i].left = false;
	drop(history, history->count - 1);
	history->next = number;
	history->is_saved = false;
	return history_save(history, error);
}

void history_lift(struct history *history)
{
	history->is_latched = false;
	history->is_saved = false;
}
