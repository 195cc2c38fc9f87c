/* breaks: full-pool */
/* What cannot be restored at the first try is gone. */
#include "plain_queue.h"

const enum flaw flaw = RESTORES_ONCE;
