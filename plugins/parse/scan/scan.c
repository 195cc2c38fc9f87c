/*
 * parse/json with a scanner that takes 64 bytes at a time, by the widest instructions that the processor has.
 */
#include <sluice/stage.h>

#include "kernel.h"
#include "mapping/mapping.h"

static const struct kernel *kernel;

__attribute__((constructor)) static void choose_kernel(void)
{
	kernel = kernel_choose();
}

static bool scan_text(struct scan *scan)
{
	return kernel_scan(kernel, scan);
}

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	return mapping_process(stage, event, scan_text);
}

static const struct sluice_parse_ops ops = {.process = process};

SLUICE_STAGE(parse, ops, .name = "scan", .version = SLUICE_VERSION,
             .summary = "as parse/json, a body 64 bytes at a time: a body is scanned 64 bytes at a time",
             .options = mapping_options, .config_size = sizeof(struct mapping_config), .check = mapping_check,
             .create = mapping_create, .destroy = mapping_destroy, .extensions = mapping_extensions);
