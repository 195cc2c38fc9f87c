/* breaks: torn-write */
/* It writes behind what a crash has left of a batch, and never reads that far again. */
#include "plain_store.h"

const enum flaw flaw = KEEPS_A_TORN_TAIL;
