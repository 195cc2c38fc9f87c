/* Of each thread; see deferred.h. */
#include "base/deferred.h"

#include <stddef.h>

enum { DEFERRED_MAX = 16 };

static _Thread_local struct {
	unsigned depth;
	size_t count;
	struct deferred {
		void (*call)(int argument);
		int argument;
	} items[DEFERRED_MAX];
} own;

void deferred_begin(void)
{
	own.depth++;
}

void deferred_end(void)
{
	if (--own.depth > 0)
		return;
	for (size_t i = 0; i < own.count; i++)
		own.items[i].call(own.items[i].argument);
	own.count = 0;
}

enum deferral deferred_add(void (*call)(int argument), int argument)
{
	if (own.depth == 0)
		return DEFERRED_NOT;
	for (size_t i = 0; i < own.count; i++) {
		if (own.items[i].call == call && own.items[i].argument == argument)
			return DEFERRED_BEFORE;
	}
	if (own.count == DEFERRED_MAX)
		return DEFERRED_NOT;
	own.items[own.count++] = (struct deferred){call, argument};
	return DEFERRED_NEW;
}
