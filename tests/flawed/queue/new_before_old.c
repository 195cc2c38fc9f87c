/* breaks: old-first */
/* It looks at its backlog when there is nothing else. */
#include "plain_queue.h"

const enum flaw flaw = NEW_BEFORE_OLD;
