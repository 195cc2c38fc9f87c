/* breaks: clock-jumps */
/* What has waited for more than a day by the wall clock is gone after a restart. */
#include "plain_queue.h"

const enum flaw flaw = FORGETS_BY_THE_CLOCK;
