/* breaks: old-first */
/* It looks at its backlog when there is nothing else. */
#define FLAW NEW_BEFORE_OLD
#include "plain_queue.h"
