/* breaks: nothing */
/* So does it where put() parks. */
#include "plain_queue.h"

const enum flaw flaw = PARKS;
