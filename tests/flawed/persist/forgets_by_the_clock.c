/* breaks: clock-jumps */
/* What is older than a day when it starts is gone: the clock was set, and all of it is. */
#include "plain_store.h"

const enum flaw flaw = FORGETS_BY_THE_CLOCK;
