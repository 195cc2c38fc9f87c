/* breaks: done-any-order */
/* Its done() knows the oldest event alone. */
#define VOLATILE
#include "plain_queue.h"

const enum flaw flaw = DONE_IN_ORDER;
