/* breaks: many-threads */
/* Two threads write to the same place. */
#include "plain_store.h"

const enum flaw flaw = WRITES_UNLOCKED;
