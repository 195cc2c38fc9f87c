/* breaks: gauges */
/* Its gauge says that one more is in flight. */
#include "plain_idempotency.h"

const enum flaw flaw = COUNTS_ONE_MORE;
