/* breaks: first-passes */
/* It knows ids in lower case alone. */
#include "plain_idempotency.h"

const enum flaw flaw = IGNORES_CASE;
