/* breaks: survives-kill */
/* It says PASS when its journal is in a buffer of the process. */
#define FLAW BUFFERS
#include "plain_queue.h"
