/* breaks: each-once */
/* It loses what would stand where its memory begins anew. */
#define VOLATILE
#include "plain_queue.h"

const enum flaw flaw = FORGETS_AT_THE_END;
