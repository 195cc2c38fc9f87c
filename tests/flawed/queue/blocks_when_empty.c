/* breaks: take-returns */
/* Its take() waits for an event. */
#define VOLATILE
#include "plain_queue.h"

const enum flaw flaw = BLOCKS_WHEN_EMPTY;
