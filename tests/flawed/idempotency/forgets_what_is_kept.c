/* breaks: duplicate */
/* It knows what is in flight, and nothing else. */
#define FLAW FORGETS_WHAT_IS_KEPT
#include "plain_idempotency.h"
