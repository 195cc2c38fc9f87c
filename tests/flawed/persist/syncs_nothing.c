/* breaks: power-cut */
/* It never calls fdatasync(). */
#include "plain_store.h"

const enum flaw flaw = SYNCS_NOTHING;
