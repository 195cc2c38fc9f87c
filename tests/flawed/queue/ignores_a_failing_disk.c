/* breaks: failing-disk */
/* It passes what it could not write. */
#include "plain_queue.h"

const enum flaw flaw = IGNORES_A_FAILING_DISK;
