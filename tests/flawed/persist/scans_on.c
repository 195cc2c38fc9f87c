/* breaks: scan-ends */
/* It does not look at what the callback returns. */
#include "plain_store.h"

const enum flaw flaw = SCANS_ON;
