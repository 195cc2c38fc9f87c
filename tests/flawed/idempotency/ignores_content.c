/* breaks: conflict */
/* It knows a duplicate by its id. */
#include "plain_idempotency.h"

const enum flaw flaw = IGNORES_CONTENT;
