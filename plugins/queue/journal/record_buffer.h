/* Room for records, which only grows. */
#ifndef QUEUE_JOURNAL_RECORD_BUFFER_H
#define QUEUE_JOURNAL_RECORD_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

struct record_buffer { /* starts as {0} */
	char *data;
	size_t size;
};

/* False and errno: no memory. What was in it may have moved, or be gone. */
static inline bool record_buffer_reserve(struct record_buffer *buffer, size_t size)
{
	if (size <= buffer->size)
		return true;
	char *larger = realloc(buffer->data, size);
	if (!larger)
		return false;
	*buffer = (struct record_buffer){larger, size};
	return true;
}

#endif
