/* breaks: heir-content */
/* It keeps the digest of the event that failed for the one that took its place. */
#include "plain_idempotency.h"

const enum flaw flaw = GIVES_ITS_HEIR_ITS_CONTENT;
