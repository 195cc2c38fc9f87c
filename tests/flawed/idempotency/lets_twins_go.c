/* breaks: one-in-flight */
/* It looks for what is kept, and not for what is in flight. */
#include "plain_idempotency.h"

const enum flaw flaw = LETS_TWINS_GO;
