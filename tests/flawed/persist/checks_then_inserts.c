/* breaks: one-id-at-once */
/* Between its look for a duplicate and the insert another thread comes in. */
#include "plain_store.h"

const enum flaw flaw = CHECKS_THEN_INSERTS;
