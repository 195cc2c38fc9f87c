/* breaks: nothing */
/* It keeps every promise: what the others break is theirs alone. */
#define FLAW NONE
#include "plain_queue.h"
