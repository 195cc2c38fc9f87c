/* breaks: gauges */
/* Its gauge leaves out what was taken and is not done. */
#include "plain_queue.h"

const enum flaw flaw = SHOWS_WHAT_WAITS;
