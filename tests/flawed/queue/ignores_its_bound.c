/* breaks: bound */
/* It grows for as long as there is memory. */
#define VOLATILE
#include "plain_queue.h"

const enum flaw flaw = IGNORES_ITS_BOUND;
