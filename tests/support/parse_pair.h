/*
 * Bodies given to parse/json and to every kernel of parse/scan that this processor supports: a difference is one of
 * them's fault.
 */
#ifndef TESTS_PARSE_PAIR_H
#define TESTS_PARSE_PAIR_H

#include <stddef.h>

struct parse_pair;

struct parse_pair *parse_pair_open(void);
void parse_pair_close(struct parse_pair *pair);

/* Scans the text with the plain scanner and each kernel, at the end of a page behind which nothing can be read. NULL, or a
 * sentence that says how they differ, until the next call. */
const char *parse_pair_scan(struct parse_pair *pair, const void *text, size_t size);

/* Likewise, then lets both stages process it with two mappings. */
const char *parse_pair_compare(struct parse_pair *pair, const void *text, size_t size);

/* NULL, or the name of a kernel that leaves the text to the plain scanner. */
const char *parse_pair_declines(struct parse_pair *pair, const void *text, size_t size);

#endif
