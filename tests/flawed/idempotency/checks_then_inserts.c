/* breaks: many-threads */
/* Between its look and the claim another thread comes in. */
#include "plain_idempotency.h"

const enum flaw flaw = CHECKS_THEN_INSERTS;
