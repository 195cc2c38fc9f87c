/*
 * A growing run of bytes on the heap, always followed by a NUL that is not counted.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stddef.h>

struct buffer {
	char *data; /* NULL while empty and never written */
	size_t size, room;
};

/* Starts as {0}. */
void buffer_finish(struct buffer *buffer);
void buffer_empty(struct buffer *buffer); /* keeps the memory */

void buffer_add(struct buffer *buffer, const void *data, size_t size);
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_add_base64(struct buffer *buffer, const void *data, size_t size); /* BASE64_STANDARD */
__attribute__((format(printf, 2, 3))) void buffer_printf(struct buffer *buffer, const char *format, ...);

/* Hands the bytes over to the caller, who frees them; the buffer is empty again. Never NULL. */
char *buffer_take(struct buffer *buffer);

#endif
