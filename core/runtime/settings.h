/*
 * What the core's tables need besides config.h: the top of a pipeline file that is no section, and where the core's
 * part of a stage's settings goes.
 */
#ifndef RUNTIME_SETTINGS_H
#define RUNTIME_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/option.h>
#include <sluice/stage.h>

#include "base/arena.h"
#include "yaml/rename.h"

struct settings_top {
	const char *pipeline;
	int ack; /* enum ack */
};

extern const struct sluice_option settings_top_options[];

/* What may stand beside any stage, whatever its kind; fills struct stage_config. */
extern const struct sluice_option settings_stage_options[];

/* Old names of the core's settings, and of options that several stages of a kind have. */
extern const struct yaml_rename settings_renamed[];

/* Where a name may stand at the top, as bits. */
enum settings_place {
	SETTINGS_IN_FILE = 1,
	SETTINGS_IN_OVERLAY = 2, /* an overlay may change it */
	SETTINGS_OF_OVERLAY = 4, /* says something of the overlay itself */
	SETTINGS_IN_SET = 8,     /* first in the path of a --set */
};

/* The places where `name` may stand; 0: there is no such name. */
unsigned settings_places(const char *name);

/* The names that may stand in any of the places, NULL-terminated. */
const char *const *settings_names(unsigned places, struct arena *arena);

/* The offset in struct config of the struct that config_kind_options() fills; for a kind with an empty table, of
 * nothing. */
size_t settings_kind_offset(enum sluice_kind kind);

#endif
