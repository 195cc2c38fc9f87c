/*
 * The birth of a database file. SQLite makes a new one in its place, and a crash meanwhile leaves a torn first page there,
 * which no start can tell from a damaged database. So it is made under another name, synced, and then gets its own: it is
 * there whole or not at all.
 */
#ifndef PERSIST_SQLITE_BIRTH_H
#define PERSIST_SQLITE_BIRTH_H

#include <stdbool.h>

#include <sluice/error.h>

/* Makes an empty database unless something has that path, which leads through no link. Whoever is faster wins. */
bool birth_give(const char *path, struct sluice_error *error);

#endif
