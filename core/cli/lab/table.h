/*
 * The subcommands of sluice-lab.
 */
#ifndef CLI_LAB_TABLE_H
#define CLI_LAB_TABLE_H

#include "cli/subcommands.h"

extern const struct subcommand lab_subcommands[]; /* ends with a NULL name */

#endif
