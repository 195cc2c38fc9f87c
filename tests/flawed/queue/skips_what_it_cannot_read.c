/* breaks: read-error */
/* A record of its journal that cannot be read just then is gone. */
#include "plain_queue.h"

const enum flaw flaw = SKIPS_WHAT_IT_CANNOT_READ;
