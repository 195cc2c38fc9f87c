/*
 * What `sluice reload` and `sluice rollback` have in common: they ask a running server for another generation, and show what
 * came of it.
 */
#ifndef CLI_SERVER_CHANGE_H
#define CLI_SERVER_CHANGE_H

#include <stdbool.h>

/* POSTs to the path below the admin URL (NULL: the default). Returns the exit status: 0 it serves, 1 the server could not or
 * would not, 2 no answer. */
int change_ask(const char *admin, const char *path, bool as_json);

#endif
