/* breaks: many-threads */
/* Its put() is for one thread. */
#define VOLATILE
#include "plain_queue.h"

const enum flaw flaw = PUTS_UNLOCKED;
