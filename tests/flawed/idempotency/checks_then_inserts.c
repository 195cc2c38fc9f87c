/* breaks: many-threads */
/* Between its look and the claim another thread comes in. */
#define FLAW CHECKS_THEN_INSERTS
#include "plain_idempotency.h"
