/* breaks: wait */
/* It yields what it has parked. */
#include "plain_queue.h"

const enum flaw flaw = YIELDS_WHAT_WAITS;
