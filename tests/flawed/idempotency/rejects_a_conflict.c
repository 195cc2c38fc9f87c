/* breaks: conflict */
/* It rejects a conflict with 422 and does not say that it is one. */
#include "plain_idempotency.h"

const enum flaw flaw = REJECTS_A_CONFLICT;
