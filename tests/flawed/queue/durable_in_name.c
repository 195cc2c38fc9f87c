/* breaks: survives-kill */
/* It says that it is durable, and keeps events in memory. */
#include "plain_queue.h"

const enum flaw flaw = DURABLE_IN_NAME;
