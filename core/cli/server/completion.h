/*
 * Completion of the command line in bash, from the tables of subcommands and flags.
 */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include "base/buffer.h"

void completion_write(struct buffer *out);

#endif
