/* breaks: order */
/* It is a stack. */
#define VOLATILE
#define FLAW NEWEST_FIRST
#include "plain_queue.h"
