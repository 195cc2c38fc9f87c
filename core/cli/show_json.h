/*
 * A JSON document whose text others have chosen, on its way to stdout.
 */
#ifndef CLI_SHOW_JSON_H
#define CLI_SHOW_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/* For people: a copy all of whose texts and keys a terminal shows, each on a line, and obeys none of. */
json_t *show_json_plain(const json_t *document);

/* For programs: with \u001b in the place of what a terminal would obey; numbers with `digits`. False: stdout takes no
 * more. */
bool show_json_print(const json_t *document, size_t digits);

#endif
