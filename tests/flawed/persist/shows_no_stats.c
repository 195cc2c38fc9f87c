/* breaks: stats */
/* Its stats() shows nothing. */
#include "plain_store.h"

const enum flaw flaw = SHOWS_NO_STATS;
