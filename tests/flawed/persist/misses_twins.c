/* breaks: twins */
/* It looks for duplicates in the store, and not in the batch itself. */
#define FLAW MISSES_TWINS
#include "plain_store.h"
