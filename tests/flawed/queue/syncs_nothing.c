/* breaks: power-cut */
/* It never calls fdatasync(). */
#include "plain_queue.h"

const enum flaw flaw = SYNCS_NOTHING;
