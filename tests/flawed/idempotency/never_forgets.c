/* breaks: expiry */
/* It takes no notice of its ttl. */
#define FLAW NEVER_FORGETS
#include "plain_idempotency.h"
