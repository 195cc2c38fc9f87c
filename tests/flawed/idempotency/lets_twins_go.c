/* breaks: one-in-flight */
/* It looks for what is kept, and not for what is in flight. */
#define FLAW LETS_TWINS_GO
#include "plain_idempotency.h"
