/* breaks: duplicate */
/* It knows what is in flight, and nothing else. */
#include "plain_idempotency.h"

const enum flaw flaw = FORGETS_WHAT_IS_KEPT;
