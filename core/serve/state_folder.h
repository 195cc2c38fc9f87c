/*
 * The folder with what a server leaves to a later process. The names of its files begin with that of the pipeline file; one
 * server at a time has those of one name, and each is replaced in one step: whole and on the disk, or as it was.
 */
#ifndef SERVE_STATE_FOLDER_H
#define SERVE_STATE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

enum { STATE_PATH_SIZE = 4096 };

struct state_folder {
	char *path, *name;
	int lock;
};

/* Creates the folder if needed, and locks the name. False and a sentence if it cannot, or another server has it. */
bool state_folder_open(struct state_folder *folder, const char *path, const char *name, struct sluice_error *error);
void state_folder_close(struct state_folder *folder); /* one that was not opened is all zeros */

/* "PATH/NAME.SUFFIX" */
void state_folder_path(const struct state_folder *folder, const char *suffix, char path[STATE_PATH_SIZE]);

/* False and a sentence: the file is what it was, or, where only the folder could not be synced, perhaps the new one. */
bool state_folder_write(const struct state_folder *folder, const char *suffix, const void *data, size_t size,
                        struct sluice_error *error);

/* Removes the files whose suffix is a number that `keeps` says no to. */
void state_folder_prune(const struct state_folder *folder, bool (*keeps)(const void *context, int64_t number),
                        const void *context);

#endif
