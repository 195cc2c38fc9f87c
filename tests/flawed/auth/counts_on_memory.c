/* breaks: no-memory */
/* It does not look at what sluice_alloc() returns. */
#include "plain_auth.h"

const enum flaw flaw = COUNTS_ON_MEMORY;
