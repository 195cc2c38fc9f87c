/* breaks: heir */
/* When the first fails, those who wait are forgotten. */
#include "plain_idempotency.h"

const enum flaw flaw = DROPS_THE_HEIR;
