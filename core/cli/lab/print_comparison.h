/*
 * What a comparison came to, for people, from compare.json.
 */
#ifndef CLI_LAB_PRINT_COMPARISON_H
#define CLI_LAB_PRINT_COMPARISON_H

#include <jansson.h>

void print_comparison(const json_t *document, const char *directory);

/* "  -12.3 %  [-15.0, -9.1]", of one of its metrics; one pair alone has no interval. */
void print_change(const json_t *row);

/* The row of P95, which decides; NULL: there is none. */
const json_t *comparison_p95(const json_t *document);

/* The exit status of its outcome. */
int comparison_status(const json_t *document);

#endif
