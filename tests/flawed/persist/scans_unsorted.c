/* breaks: scan-order */
/* It scans from the newest to the oldest. */
#include "plain_store.h"

const enum flaw flaw = SCANS_UNSORTED;
