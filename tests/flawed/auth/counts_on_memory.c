/* breaks: no-memory */
/* It does not look at what sluice_alloc() returns. */
#define FLAW COUNTS_ON_MEMORY
#include "plain_auth.h"
