/* breaks: scan-after */
/* It does not look at after_id. */
#include "plain_store.h"

const enum flaw flaw = SCANS_FROM_THE_START;
