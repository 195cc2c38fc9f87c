/* breaks: many-threads */
/* Its settle() takes no lock. */
#include "plain_idempotency.h"

const enum flaw flaw = SETTLES_UNLOCKED;
