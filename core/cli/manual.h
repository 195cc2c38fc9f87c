/*
 * The files of the manual that both programs write: each has the flags of its own subcommands only.
 */
#ifndef CLI_MANUAL_H
#define CLI_MANUAL_H

#include <stdbool.h>

#include <sluice/error.h>

#include "base/buffer.h"
#include "cli/subcommands.h"

#define MANUAL_COMPLETION "sluice.bash"

enum { MANUAL_NAME_SIZE = 64 };

/* "sluice-run". */
void manual_page_name(const char *subcommand, char name[MANUAL_NAME_SIZE]);

/* Writes the file again, or adds to its end. */
bool manual_write_file(const char *folder, const char *name, const struct buffer *text, struct sluice_error *error);
bool manual_extend_file(const char *folder, const char *name, const struct buffer *text, struct sluice_error *error);

/* A page for each subcommand that this program can describe. */
bool manual_write_pages(const struct subcommand *subcommands, const char *folder, struct sluice_error *error);

#endif
