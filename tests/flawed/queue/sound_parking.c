/* breaks: nothing */
/* So does it where put() parks. */
#define PARKS 1
#define FLAW NONE
#include "plain_queue.h"
