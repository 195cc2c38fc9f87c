/* breaks: bound */
/* To it an event that was taken is through. */
#define VOLATILE
#define FLAW COUNTS_WHAT_WAITS
#include "plain_queue.h"
