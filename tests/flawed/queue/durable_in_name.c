/* breaks: survives-kill */
/* It says that it is durable, and keeps events in memory. */
#define FLAW DURABLE_IN_NAME
#include "plain_queue.h"
