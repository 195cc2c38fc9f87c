/* breaks: nothing */
/* And where it is not durable. */
#define VOLATILE
#define FLAW NONE
#include "plain_queue.h"
