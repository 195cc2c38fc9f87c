/* breaks: done-any-order */
/* Its done() knows the oldest event alone. */
#define VOLATILE
#define FLAW DONE_IN_ORDER
#include "plain_queue.h"
