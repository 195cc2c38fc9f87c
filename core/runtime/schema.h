/*
 * The JSON Schema (draft 7, which editors know best) of a pipeline file, from the core's option tables and those of the
 * stages found.
 */
#ifndef RUNTIME_SCHEMA_H
#define RUNTIME_SCHEMA_H

#include "base/buffer.h"

/* `stage_path` as from loader_stage_path(). A file on it that is no stage is passed over. */
void schema_print(char *const *stage_path, struct buffer *out);

#endif
