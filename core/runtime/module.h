/*
 * The file of a stage as the process holds it: a private copy in memory, hashed, proven to be a whole shared object for
 * this machine, and opened.
 */
#ifndef RUNTIME_MODULE_H
#define RUNTIME_MODULE_H

#include <stddef.h>

#include <sluice/error.h>

#include "base/digest.h"

struct module;
struct loader_pin;

enum { MODULE_NAME_SIZE = 128 };

/* What the system calls the copy of a file: "queue-memory.so" of ".../queue/memory.so". It shows in /proc/PID/maps, as
 * "/memfd:queue-memory.so (deleted)"; profilers know stages by it. */
void module_name(const char *path, char name[MODULE_NAME_SIZE]);

/* Copies the file and opens the copy, if its content is what the pin says; `sha256` is that of the copied bytes. NULL
 * and what is wrong with the file ("is a directory …"), without its path, if that cannot be. */
struct module *module_open(const char *path, char sha256[DIGEST_HEX_SIZE], struct loader_pin *pin,
                           struct sluice_error *error);
void module_close(struct module *module);

/* Where the exported data `name` stands and how many bytes it has; NULL if there is no such data. */
const void *module_symbol(const struct module *module, const char *name, size_t *size_out);

#endif
