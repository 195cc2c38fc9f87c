/*
 * Events that are through, as ranges of their numbers: what the journal has to write down about them.
 */
#ifndef QUEUE_JOURNAL_MARKS_H
#define QUEUE_JOURNAL_MARKS_H

#include <stdbool.h>
#include <stddef.h>

#include "format.h"

struct marks { /* starts as {0} */
	struct range *ranges;
	size_t count, room;
};

/* Without memory for it a mark is dropped: the event is then delivered once more by the next life. */
void marks_add(struct marks *marks, struct range range);
void marks_finish(struct marks *marks);

/* Afterwards marks_have() may be asked. */
void marks_sort(struct marks *marks);
bool marks_have(const struct marks *marks, uint64_t number);

#endif
