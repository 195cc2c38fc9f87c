/* breaks: done-is-done */
/* Its journal knows what was put, and not what is through. */
#include "plain_queue.h"

const enum flaw flaw = FORGETS_WHAT_IS_DONE;
