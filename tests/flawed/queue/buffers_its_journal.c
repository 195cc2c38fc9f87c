/* breaks: survives-kill */
/* It says PASS when its journal is in a buffer of the process. */
#include "plain_queue.h"

const enum flaw flaw = BUFFERS;
