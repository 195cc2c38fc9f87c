/* breaks: poison */
/* It gives a batch up at the first event that it refuses. */
#include "plain_store.h"

const enum flaw flaw = STOPS_AT_POISON;
