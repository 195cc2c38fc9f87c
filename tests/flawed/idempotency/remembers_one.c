/* breaks: capacity */
/* It takes no notice of its capacity. */
#include "plain_idempotency.h"

const enum flaw flaw = REMEMBERS_ONE;
