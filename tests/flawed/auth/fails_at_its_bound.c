/* breaks: bounds */
/* It refuses what its table allows, and does not say which option that was. */
#define FLAW FAILS_AT_ITS_BOUND
#include "plain_auth.h"
