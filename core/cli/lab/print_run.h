/*
 * What a run came to, for people, from the members "results" and "generator" of run.json.
 */
#ifndef CLI_LAB_PRINT_RUN_H
#define CLI_LAB_PRINT_RUN_H

#include <jansson.h>

void print_run(const json_t *results, const json_t *generator, const char *directory);

/* The exit status: 0, 1 where answers were not the right ones, 30 where the run is invalid. */
int status_of_run(const json_t *results, const json_t *generator);

#endif
