/* breaks: turned-away */
/* It takes an event that was turned away for one that is through. */
#include "plain_queue.h"

const enum flaw flaw = ALL_DONE_IS_DONE;
