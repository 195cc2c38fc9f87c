/* breaks: scan-ends */
/* It does not look at what the callback returns. */
#define FLAW SCANS_ON
#include "plain_store.h"
