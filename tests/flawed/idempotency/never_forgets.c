/* breaks: expiry */
/* It takes no notice of its ttl. */
#include "plain_idempotency.h"

const enum flaw flaw = NEVER_FORGETS;
