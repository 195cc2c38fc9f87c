/* breaks: valid-passes */
/* It takes a request that is sent again for an attack; duplicates are not its business. */
#define FLAW LETS_IN_ONCE
#include "plain_auth.h"
