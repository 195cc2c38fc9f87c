/*
 * What a check's process tells the one that started it, through a pipe: one record, the first that is written.
 */
#ifndef CONFORM_RECORD_H
#define CONFORM_RECORD_H

#include "conform/conform.h"

struct record {
	enum check_outcome outcome;
	char sentence[1024], where[64];
};

/* Runs the check in this process and ends it. `out`: for the record; `output`: what stdout and stderr have become. */
_Noreturn void check_main(const struct conform *conform, const struct check_entry *entry, const char *folder, int out,
                          int output);

#endif
