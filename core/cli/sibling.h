/*
 * Programs that lie beside this one, built and installed: `sluice` becomes sluice-lab for the commands of the laboratory,
 * and sluice-lab starts `sluice` as the server under test.
 */
#ifndef CLI_SIBLING_H
#define CLI_SIBLING_H

#include "base/arena.h"

#define SIBLING_SERVER "sluice"
#define SIBLING_LAB "sluice-lab"

/* The path of the program `name`. */
char *sibling_path(const char *name, struct arena *arena);

/* This process goes on as that program, with the arguments behind argv[0]. Returns only if it cannot: after a sentence on
 * stderr, with the exit status. */
int sibling_become(const char *name, char **argv);

#endif
