/* breaks: scan-order */
/* It scans from the newest to the oldest. */
#define FLAW SCANS_UNSORTED
#include "plain_store.h"
