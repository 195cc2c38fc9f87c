/* breaks: torn-write */
/* It writes behind what a crash has left of a record, and never reads that far again. */
#include "plain_queue.h"

const enum flaw flaw = KEEPS_A_TORN_TAIL;
