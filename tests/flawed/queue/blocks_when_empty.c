/* breaks: take-returns */
/* Its take() waits for an event. */
#define VOLATILE
#define FLAW BLOCKS_WHEN_EMPTY
#include "plain_queue.h"
