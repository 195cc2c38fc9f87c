/*
 * Forms (application/x-www-form-urlencoded) as some senders sign them: the fields sorted by name, names and values decoded
 * and put behind each other without anything between.
 */
#ifndef SIGNED_FORM_H
#define SIGNED_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/event.h>

/* Bytes that form_join() needs for this body. */
size_t form_room(struct sluice_bytes body);

/* Fields of one name stand sorted by value, equal ones once. False: no form could look so. */
bool form_join(struct sluice_bytes body, void *room, struct sluice_bytes *out);

/* Decodes percent and plus; `out` has room for text.size bytes. False: a byte that must have been escaped. */
bool form_decode(struct sluice_bytes text, char *out, size_t *size_out);

/* The value of the field `name` in a query or form, still encoded; absent if there is none. */
struct sluice_bytes form_find(struct sluice_bytes form, const char *name);

#endif
