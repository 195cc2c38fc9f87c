/* breaks: resumed-is-gone */
/* What it has resumed may be gone, and it looks at it. */
#include "plain_idempotency.h"

const enum flaw flaw = LOOKS_BACK;
