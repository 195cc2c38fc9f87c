/* breaks: bound */
/* To it an event that was taken is through. */
#define VOLATILE
#include "plain_queue.h"

const enum flaw flaw = COUNTS_WHAT_WAITS;
