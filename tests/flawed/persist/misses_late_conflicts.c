/* breaks: model */
/* In a long batch it takes a conflict for a duplicate. */
#include "plain_store.h"

const enum flaw flaw = MISSES_LATE_CONFLICTS;
