/* breaks: wait */
/* It yields what it has parked. */
#define PARKS 1
#define FLAW YIELDS_WHAT_WAITS
#include "plain_queue.h"
