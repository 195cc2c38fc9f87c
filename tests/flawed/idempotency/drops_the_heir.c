/* breaks: heir */
/* When the first fails, those who wait are forgotten. */
#define FLAW DROPS_THE_HEIR
#include "plain_idempotency.h"
