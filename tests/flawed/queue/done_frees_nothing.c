/* breaks: done-frees */
/* It has capacity for so many events, and no more after them. */
#define VOLATILE
#define FLAW DONE_FREES_NOTHING
#include "plain_queue.h"
