/* breaks: stats */
/* Its stats() leaves a file behind. */
#include "plain_store.h"

const enum flaw flaw = WRITES_ITS_STATS;
