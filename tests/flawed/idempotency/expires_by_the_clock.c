/* breaks: clock-jumps */
/* Its ttl is over when somebody sets the wall clock. */
#include "plain_idempotency.h"

const enum flaw flaw = EXPIRES_BY_THE_CLOCK;
