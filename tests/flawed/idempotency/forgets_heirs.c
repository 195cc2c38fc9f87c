/* breaks: model */
/* It forgets what took the place of a failed event and was stored. */
#include "plain_idempotency.h"

const enum flaw flaw = FORGETS_HEIRS;
