/* breaks: same-response */
/* It helps whoever tries out signatures. */
#include "plain_auth.h"

const enum flaw flaw = TELLS_WHAT_IS_WRONG;
