/* breaks: bound */
/* It grows for as long as there is memory. */
#define VOLATILE
#define FLAW IGNORES_ITS_BOUND
#include "plain_queue.h"
