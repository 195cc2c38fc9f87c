/* A copy of the end of the log. */
#include "shadow.h"

#include <stdlib.h>
#include <string.h>

#include "wal_index.h"

enum { ROOM_MIN = 1 << 20, ROOM_MAX = 1 << 24 };

void shadow_finish(struct shadow *shadow)
{
	free(shadow->data);
	*shadow = (struct shadow){0};
}

static void forget_below(struct shadow *shadow, int64_t done)
{
	if (done <= shadow->from || shadow->size == 0)
		return;
	size_t gone = done - shadow->from < (int64_t)shadow->size ? (size_t)(done - shadow->from) : shadow->size;
	memmove(shadow->data, shadow->data + gone, shadow->size - gone);
	shadow->size -= gone;
	shadow->from += (int64_t)gone;
}

static bool make_room(struct shadow *shadow, size_t size, int64_t done)
{
	if (size <= shadow->room)
		return true;
	size_t before = shadow->size;
	forget_below(shadow, done);
	size -= before - shadow->size;
	size_t room = shadow->room ? shadow->room : ROOM_MIN;
	while (room < size)
		room *= 2;
	char *data = room > ROOM_MAX ? NULL : room > shadow->room ? realloc(shadow->data, room) : shadow->data;
	if (!data)
		return false;
	shadow->data = data;
	shadow->room = room;
	return true;
}

void shadow_begin(struct shadow *shadow, uint64_t salt)
{
	if (salt != shadow->salt)
		shadow->size = 0;
	shadow->salt = salt;
}

void shadow_end(struct shadow *shadow, int64_t end)
{
	if (end < shadow->from)
		shadow->size = 0;
	else if (shadow->size > (size_t)(end - shadow->from))
		shadow->size = (size_t)(end - shadow->from);
}

void shadow_write(struct shadow *shadow, const void *data, size_t size, int64_t at, int64_t done)
{
	bool joins = at >= shadow->from && at <= shadow->from + (int64_t)shadow->size;
	uint32_t header[WAL_HEADER_SIZE / 4];
	if (at == 0 && size >= sizeof(header)) {
		memcpy(header, data, sizeof(header));
		shadow->salt = wal_header_salt(header);
	}
	if (at == 0 || !joins) {
		shadow->size = 0;
		shadow->from = at;
	}
	if (!make_room(shadow, (size_t)(at - shadow->from) + size, done) || at < shadow->from) {
		shadow->size = 0;
		shadow->from = at + (int64_t)size;
		return;
	}
	size_t offset = (size_t)(at - shadow->from);
	memcpy(shadow->data + offset, data, size);
	if (shadow->size < offset + size)
		shadow->size = offset + size;
}

const char *shadow_get(const struct shadow *shadow, uint64_t salt, int64_t from, int64_t to)
{
	if (!salt || salt != shadow->salt || from < shadow->from || to < from ||
	    to > shadow->from + (int64_t)shadow->size)
		return NULL;
	return shadow->data + (from - shadow->from);
}
