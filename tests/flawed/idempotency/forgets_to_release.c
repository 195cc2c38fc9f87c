/* breaks: released */
/* A claim is released when its event is kept. */
#include "plain_idempotency.h"

const enum flaw flaw = FORGETS_TO_RELEASE;
