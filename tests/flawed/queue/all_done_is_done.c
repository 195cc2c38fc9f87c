/* breaks: retried */
/* It takes an event done with RETRY for one that is stored. */
#include "plain_queue.h"

const enum flaw flaw = ALL_DONE_IS_DONE;
