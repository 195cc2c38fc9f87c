/*
 * The loader: finds a stage's shared object, refuses what does not fit, and keeps it open.
 *
 * A file is copied privately and the copy opened with RTLD_NOW | RTLD_LOCAL: dlopen() returns the old code for a path
 * it has open, so a file replaced on disk would otherwise not be seen. Every refusal is a sentence that names the file
 * and says what to do. Used by one thread at a time.
 */
#ifndef RUNTIME_LOADER_H
#define RUNTIME_LOADER_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/stage.h>

#include "base/digest.h"
#include "runtime/abi.h"

struct module;

/* A loaded stage file. `ops` is the host's own copy, as large as the host knows it: what an older stage lacks is NULL;
 * its option table is copied likewise, ends with SLUICE_OPTION_END and is never NULL. */
struct plugin {
	struct sluice_stage_ops ops;
	union kind_table kind;        /* what ops.of points to */
	char *path;                   /* where the file was found */
	char sha256[DIGEST_HEX_SIZE]; /* of its bytes as loaded */
	struct module *module;        /* its code, runtime/module.h */
};

extern const char *const kind_names[]; /* "auth", "parse" …, by enum sluice_kind; NULL-terminated */
enum { KIND_COUNT = 5 };

/* Whether `name` names a kind. */
bool kind_from_name(const char *name, enum sluice_kind *kind_out);

/* The folders searched, in order: `option` (DIR:DIR, may be NULL), else SLUICE_STAGE_PATH, else beside the executable
 * (stages/ and plugins/), then the installed place. Returns a NULL-terminated list that the caller frees with
 * loader_free_path(). */
char **loader_stage_path(const char *option);
void loader_free_path(char **path);

/* The first file of that name below a folder of the path, "export/otlp_http.so", for the caller to free; NULL: there is none. */
char *loader_find(char *const *stage_path, const char *name);

/* Loads implementation `use` of `kind`: with a slash or ending in .so it is a file, else <dir>/<kind>/<use>.so in the
 * first folder that has it. NULL and a sentence if there is none (with a "did you mean") or it does not fit. */
struct plugin *loader_open(char *const *stage_path, enum sluice_kind kind, const char *use, struct sluice_error *error);

/* The same of a file that must have this content: none of its code runs if it has another. */
struct loader_pin {
	const char *sha256; /* in lower-case hex; NULL: any */
	bool refused;       /* set where the content was what did not fit */
};
struct plugin *loader_open_pinned(char *const *stage_path, enum sluice_kind kind, const char *use,
                                  struct loader_pin *pin, struct sluice_error *error);

/* Loads a file of whatever kind it is. */
struct plugin *loader_open_file(const char *file, struct sluice_error *error);

/* After this nothing of the stage may be called or read. NULL is allowed. */
void loader_close(struct plugin *plugin);

/* Calls `each` with kind and path of every *.so found on the path, kinds in order, names sorted; a name hidden by an
 * earlier folder is skipped. */
void loader_list(char *const *stage_path, void (*each)(void *context, enum sluice_kind kind, const char *file),
                 void *context);

#endif
