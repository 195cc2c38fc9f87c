/*
 * The subcommands of `sluice`, those of the laboratory among them.
 */
#ifndef CLI_SERVER_TABLE_H
#define CLI_SERVER_TABLE_H

#include "cli/subcommands.h"

extern const struct subcommand sluice_subcommands[]; /* ends with a NULL name */

#endif
