/* breaks: scan-after */
/* It does not look at after_id. */
#define FLAW SCANS_FROM_THE_START
#include "plain_store.h"
