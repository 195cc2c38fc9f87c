/* breaks: done-frees */
/* It has capacity for so many events, and no more after them. */
#define VOLATILE
#include "plain_queue.h"

const enum flaw flaw = DONE_FREES_NOTHING;
