/* breaks: tick */
/* While its tick() is running it rejects events. */
#include "plain_auth.h"

const enum flaw flaw = CLOSES_TO_TICK;
