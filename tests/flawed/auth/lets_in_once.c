/* breaks: valid-passes */
/* It takes a request that is sent again for an attack; duplicates are not its business. */
#include "plain_auth.h"

const enum flaw flaw = LETS_IN_ONCE;
