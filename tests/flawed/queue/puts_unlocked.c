/* breaks: many-threads */
/* Its put() is for one thread. */
#define VOLATILE
#define FLAW PUTS_UNLOCKED
#include "plain_queue.h"
