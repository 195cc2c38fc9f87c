/* breaks: each-once */
/* When it is empty it yields the last one again. */
#define VOLATILE
#define FLAW YIELDS_TWICE
#include "plain_queue.h"
