/* breaks: turned-away */
/* It takes an event that was turned away for one that is through. */
#define FLAW ALL_DONE_IS_DONE
#include "plain_queue.h"
