/*
 * What a build of the author's sources shows that a finished stage does not: they are compiled with ThreadSanitizer, in a folder
 * of their own, and the checks with threads run on the result, in processes that have its library loaded before all else.
 */
#ifndef CONFORM_BUILD_H
#define CONFORM_BUILD_H

#include "conform/conform.h"

/* The check of suite_build. Skipped, with the reason, where it could not be built or run. */
void build_check(const struct conform *conform, struct check_result *result_out);

#endif
