/* breaks: done-is-done */
/* Its journal knows what was put, and not what is through. */
#define FLAW FORGETS_WHAT_IS_DONE
#include "plain_queue.h"
