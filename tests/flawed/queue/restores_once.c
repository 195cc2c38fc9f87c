/* breaks: full-pool */
/* What cannot be restored at the first try is gone. */
#define FLAW RESTORES_ONCE
#include "plain_queue.h"
