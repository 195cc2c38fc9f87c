/* breaks: released */
/* A claim is released when its event is kept. */
#define FLAW FORGETS_TO_RELEASE
#include "plain_idempotency.h"
