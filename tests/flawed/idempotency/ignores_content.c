/* breaks: conflict */
/* It knows a duplicate by its id. */
#define FLAW IGNORES_CONTENT
#include "plain_idempotency.h"
