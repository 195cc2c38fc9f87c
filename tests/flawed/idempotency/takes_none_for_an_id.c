/* breaks: without-id */
/* To it all events without an id have the same. */
#include "plain_idempotency.h"

const enum flaw flaw = TAKES_NONE_FOR_AN_ID;
