/*
 * Options: from text to a field of a config struct, by the option's own table.
 *
 * All texts that end up in a config struct are copied into the arena, which must outlive it.
 */
#ifndef YAML_OPTION_H
#define YAML_OPTION_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/option.h>

#include "base/arena.h"
#include "base/buffer.h"

struct sluice_error;

/* Fills every field with its fallback (or zero). The table is the program's own: a fallback that its own option refuses
 * is a bug in the stage and an error here. */
bool option_fill_fallbacks(const struct sluice_option *options, void *config, struct arena *arena,
                           struct sluice_error *error);

/* Reads `count` items (1 for all types but STRINGS) into the option's field. The error says what was expected and what
 * was found, without the option's name: "expected 1..1048576 events, got 0"; the text of a SECRET option is not shown.
 */
bool option_parse(const struct sluice_option *option, void *config, const char *const *items, size_t count,
                  struct arena *arena, struct sluice_error *error);

/* Sets one option by name, with the value written as in a fallback: a list is "a, b". */
bool option_set(const struct sluice_option *options, void *config, const char *name, const char *text,
                struct arena *arena, struct sluice_error *error);

/* The option of that name, or NULL. */
const struct sluice_option *option_find(const struct sluice_option *options, const char *name);

/* The field's value as YAML text (1MiB, ['a', 'b'], 'text') that a pipeline file reads back as the same value; '***'
 * for a SECRET that is set, null for a text that is not. */
void option_print(const struct sluice_option *option, const void *config, struct buffer *out);

/* Whether two configs say the same, secrets included: in one option, in all of a table. */
bool option_equal(const struct sluice_option *option, const void *config, const void *other);
bool options_equal(const struct sluice_option *options, const void *config, const void *other);

/* "1..1048576 events", "a duration of 1ms..1h", "one of: a, b": what the option takes, for help and errors. */
void option_describe(const struct sluice_option *option, struct buffer *out);

/* Of `count` names the one most like `name`, or NULL if none is close. `name_at` yields the i-th. */
const char *option_did_you_mean(const char *name, size_t count, const char *(*name_at)(const void *context, size_t i),
                                const void *context);

#endif
