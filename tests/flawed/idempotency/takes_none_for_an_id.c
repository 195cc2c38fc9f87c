/* breaks: without-id */
/* To it all events without an id have the same. */
#define FLAW TAKES_NONE_FOR_AN_ID
#include "plain_idempotency.h"
