/* breaks: self-test */
/* Its own vectors do not hold. */
#define FLAW FAILS_ITS_SELF_TEST
#include "plain_auth.h"
