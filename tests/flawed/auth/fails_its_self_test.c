/* breaks: self-test */
/* Its own vectors do not hold. */
#include "plain_auth.h"

const enum flaw flaw = FAILS_ITS_SELF_TEST;
