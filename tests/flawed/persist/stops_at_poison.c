/* breaks: poison */
/* It gives a batch up at the first event that it refuses. */
#define FLAW STOPS_AT_POISON
#include "plain_store.h"
