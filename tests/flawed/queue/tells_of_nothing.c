/* breaks: told */
/* It does not tell in recover() what is in its backlog. */
#include "plain_queue.h"

const enum flaw flaw = TELLS_OF_NOTHING;
