/* breaks: first-passes */
/* It knows ids in lower case alone. */
#define FLAW IGNORES_CASE
#include "plain_idempotency.h"
