/* breaks: maintain */
/* Maintenance costs it half of its rows. */
#include "plain_store.h"

const enum flaw flaw = LOSES_ROWS_WHEN_MAINTAINED;
