/* breaks: order */
/* It is a stack. */
#define VOLATILE
#include "plain_queue.h"

const enum flaw flaw = NEWEST_FIRST;
