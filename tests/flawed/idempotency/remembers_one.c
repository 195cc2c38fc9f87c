/* breaks: capacity */
/* It takes no notice of its capacity. */
#define FLAW REMEMBERS_ONE
#include "plain_idempotency.h"
