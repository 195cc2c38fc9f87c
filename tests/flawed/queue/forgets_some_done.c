/* breaks: model */
/* It notes that events are done, but for every third. */
#include "plain_queue.h"

const enum flaw flaw = FORGETS_SOME_DONE;
