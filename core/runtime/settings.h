/*
 * What the core's tables need besides config.h: the top of a pipeline file that is no section, and where the core's
 * part of a stage's settings goes.
 */
#ifndef RUNTIME_SETTINGS_H
#define RUNTIME_SETTINGS_H

#include <stddef.h>

#include <sluice/option.h>
#include <sluice/stage.h>

struct settings_top {
	const char *pipeline;
	int ack; /* enum ack */
};

extern const struct sluice_option settings_top_options[];

/* What may stand beside any stage, whatever its kind; fills struct stage_config. */
extern const struct sluice_option settings_stage_options[];

/* The offset in struct config of the struct that config_kind_options() fills; for a kind with an empty table, of
 * nothing. */
size_t settings_kind_offset(enum sluice_kind kind);

#endif
