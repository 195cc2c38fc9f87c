/* breaks: each-once */
/* It loses what would stand where its memory begins anew. */
#define VOLATILE
#define FLAW FORGETS_AT_THE_END
#include "plain_queue.h"
