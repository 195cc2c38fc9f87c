/*
 * What a history leaves to a later process; see history_image.h.
 */
#include "serve/history_image.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/json_writer.h"

static bool keeps(const void *context, int64_t number)
{
	const struct history_image *image = context;
	for (size_t i = 0; i < image->count; i++)
		if (image->entries[i].number == number)
			return true;
	return false;
}

static bool write_source(const struct history_image *image, const struct history_entry *entry,
                         struct sluice_error *error)
{
	const struct sluice_bytes source = entry->config ? entry->config->source : (struct sluice_bytes){"", 0};
	char suffix[HISTORY_SUFFIX_SIZE];
	(void)snprintf(suffix, sizeof(suffix), "%" PRId64, entry->number);
	return state_folder_write(image->folder, suffix, source.data, source.size, error);
}

static void write_entry(struct json_writer *json, const struct history_entry *entry)
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
static bool write_state(const struct history_image *image, struct sluice_error *error)
{
	struct buffer text = {0};
	struct json_writer json = {.out = &text};
	jsonw_object(&json, NULL);
	jsonw_bool(&json, "running", image->running);
	if (image->canary)
		jsonw_bool(&json, "canary", true);
	jsonw_int(&json, "next", image->next);
	if (image->is_latched)
		write_latch(&json, &image->latch);
	jsonw_array(&json, "generations");
	for (size_t i = 0; i < image->count; i++)
		if (image->entries[i].has_source)
			write_entry(&json, &image->entries[i]);
	jsonw_end_array(&json);
	jsonw_end_object(&json);
	buffer_add_text(&text, "\n");
	bool ok = state_folder_write(image->folder, HISTORY_STATE, text.data, text.size, error);
	buffer_finish(&text);
	return ok;
}

/* A source is there before the state names it, and as long as it does. */
static bool save(struct history_image *image, struct sluice_error *error)
{
	bool ok = true;
	for (size_t i = 0; i < image->count; i++) {
		struct history_entry *entry = &image->entries[i];
		entry->has_source = entry->has_source || write_source(image, entry, error);
		ok = ok && entry->has_source;
	}
	if (!write_state(image, error))
		return false;
	state_folder_prune(image->folder, keeps, image);
	return ok;
}

void history_image_write(struct history_image *image)
{
	image->error = (struct sluice_error){0};
	image->is_written = save(image, &image->error);
}

void history_image_copy(struct history_image *copy, const struct history_image *image)
{
	*copy = *image;
	for (size_t i = 0; i < copy->count; i++) {
		struct history_entry *entry = &copy->entries[i];
		entry->config = entry->config ? config_share(entry->config) : NULL;
		entry->optimizations = must_strdup(entry->optimizations);
	}
}

void history_image_finish(struct history_image *image)
{
	for (size_t i = 0; i < image->count; i++) {
		config_free(image->entries[i].config);
		free(image->entries[i].optimizations);
	}
	image->count = 0;
}
