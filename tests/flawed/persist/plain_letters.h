/* The dead letters of the plain store: a file of frames, an event and then its reason. */
#ifndef FLAWED_PLAIN_LETTERS_H
#define FLAWED_PLAIN_LETTERS_H

#include <sluice/stage.h>

bool letters_add(const char *path, struct sluice_event *event, const char *reason, struct sluice_error *error);
bool letters_scan(const char *path, int64_t after_id, sluice_letter_fn each, void *context, struct sluice_error *error);
bool letters_drop(const char *path, int64_t id, struct sluice_error *error);

#endif
