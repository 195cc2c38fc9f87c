/*
 * A growing run of bytes; see buffer.h.
 */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base64.h"

static void reserve(struct buffer *buffer, size_t more)
{
	size_t need = buffer->size + more + 1;
	if (need <= buffer->room)
		return;
	size_t room = buffer->room ? buffer->room * 2 : 256;
	while (room < need)
		room *= 2;
	buffer->data = must_realloc(buffer->data, room);
	buffer->room = room;
}

void buffer_finish(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){0};
}

void buffer_empty(struct buffer *buffer)
{
	buffer->size = 0;
	if (buffer->data)
		buffer->data[0] = '\0';
}

void buffer_add(struct buffer *buffer, const void *data, size_t size)
{
	reserve(buffer, size);
	if (size)
		memcpy(buffer->data + buffer->size, data, size);
	buffer->size += size;
	buffer->data[buffer->size] = '\0';
}

void buffer_add_text(struct buffer *buffer, const char *text)
{
	buffer_add(buffer, text, strlen(text));
}

void buffer_add_base64(struct buffer *buffer, const void *data, size_t size)
{
	reserve(buffer, BASE64_ROOM(size));
	buffer->size += base64_write(BASE64_STANDARD, data, size, buffer->data + buffer->size);
	buffer->data[buffer->size] = '\0';
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list arguments, again;
	va_start(arguments, format);
	va_copy(again, arguments);
	reserve(buffer, 127);
	size_t room = buffer->room - buffer->size;
	int length = vsnprintf(buffer->data + buffer->size, room, format, arguments);
	va_end(arguments);
	size_t size = length > 0 ? (size_t)length : 0;
	if (size >= room) {
		reserve(buffer, size);
		(void)vsnprintf(buffer->data + buffer->size, size + 1, format, again);
	}
	va_end(again);
	buffer->size += size;
}

char *buffer_take(struct buffer *buffer)
{
	reserve(buffer, 0);
	buffer->data[buffer->size] = '\0';
	char *data = buffer->data;
	*buffer = (struct buffer){0};
	return data;
}
