/* An array of one dimension on its way to PostgreSQL, in its binary form (array_send() in arrayfuncs.c). */
#ifndef POSTGRES_ARRAY_H
#define POSTGRES_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

#include <libpq-fe.h>
#include <sluice/stage.h>

struct array {
	Oid type; /* of the array */
	char *data;
	size_t size, room;
};

/* Room for `count` elements of that type, of `bytes` together. False: no memory, or more than a parameter can be. */
bool array_begin(struct array *array, Oid element, size_t count, size_t bytes);
void array_add(struct array *array, struct sluice_bytes element); /* absent: NULL */
void array_free(struct array *array);                             /* also one of zeros */

#endif
