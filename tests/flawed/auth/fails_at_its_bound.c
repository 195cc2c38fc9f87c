/* breaks: bounds */
/* It refuses what its table allows, and does not say which option that was. */
#include "plain_auth.h"

const enum flaw flaw = FAILS_AT_ITS_BOUND;
