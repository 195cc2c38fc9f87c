/* breaks: many-threads */
/* Two threads write to the same place. */
#define FLAW WRITES_UNLOCKED
#include "plain_store.h"
