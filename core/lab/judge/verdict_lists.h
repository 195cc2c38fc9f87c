/*
 * The lists of compare.json, each as docs/internals/run-directory.md describes it; part of verdict_compute().
 */
#ifndef LAB_JUDGE_VERDICT_LISTS_H
#define LAB_JUDGE_VERDICT_LISTS_H

#include <stdint.h>

#include <jansson.h>

#include "lab/judge/pairs.h"
#include "lab/run/run.h"

json_t *verdict_list_metrics(const struct pairs *pairs, double alpha, uint64_t seed);
json_t *verdict_list_quantiles(const struct pairs *pairs, double alpha, uint64_t seed);
json_t *verdict_list_blocks(const struct pairs *pairs);
json_t *verdict_list_stages(const struct run *run);
json_t *verdict_list_slowest(const struct run *run);
json_t *verdict_list_violations(const json_t *verified);
json_t *verdict_list_host(const struct run *run, const struct host *host); /* null: it was not recorded */

#endif
