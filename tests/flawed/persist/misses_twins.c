/* breaks: twins */
/* It looks for duplicates in the store, and not in the batch itself. */
#include "plain_store.h"

const enum flaw flaw = MISSES_TWINS;
