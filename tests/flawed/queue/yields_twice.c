/* breaks: each-once */
/* When it is empty it yields the last one again. */
#define VOLATILE
#include "plain_queue.h"

const enum flaw flaw = YIELDS_TWICE;
