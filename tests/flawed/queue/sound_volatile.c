/* breaks: nothing */
/* And where it is not durable. */
#define VOLATILE
#include "plain_queue.h"

const enum flaw flaw = NONE;
