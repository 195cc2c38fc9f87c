/* An array on its way to PostgreSQL. */
#include "array.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "values.h"

enum { HEADER_SIZE = 20, LENGTH_SIZE = 4 };

#define ARRAY_MAX ((size_t)0x3fffffff) /* MaxAllocSize of the server */

static Oid array_of(Oid element)
{
	static const Oid arrays[][2] = {{OID_BYTEA, 1001}, {OID_INT8, 1016}, {OID_TEXT, 1009}, {OID_TIMESTAMPTZ, 1185}};
	size_t i = 0;
	while (arrays[i][0] != element)
		i++;
	return arrays[i][1];
}

static void put_int32(struct array *array, uint32_t value)
{
	for (int byte = 0; byte < 4; byte++)
		array->data[array->size++] = (char)(unsigned char)(value >> (24 - 8 * byte));
}

bool array_begin(struct array *array, Oid element, size_t count, size_t bytes)
{
	size_t room = HEADER_SIZE + count * LENGTH_SIZE + bytes;
	*array = (struct array){.type = array_of(element), .room = room};
	if (room > ARRAY_MAX || !(array->data = malloc(room)))
		return false;
	const uint32_t header[] = {1 /* dimension */, 1 /* may hold NULL */, element, (uint32_t)count,
	                           1 /* first index */};
	for (size_t i = 0; i < sizeof(header) / sizeof(header[0]); i++)
		put_int32(array, header[i]);
	return true;
}

void array_add(struct array *array, struct sluice_bytes element)
{
	put_int32(array, element.data ? (uint32_t)element.size : UINT32_MAX);
	if (element.data && element.size)
		memcpy(array->data + array->size, element.data, element.size);
	array->size += element.size;
}

void array_free(struct array *array)
{
	free(array->data);
	array->data = NULL;
}
