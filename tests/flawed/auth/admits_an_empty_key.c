/* breaks: empty-secret */
/* It takes an empty secret for one. */
#include "plain_auth.h"

const enum flaw flaw = ADMITS_AN_EMPTY_KEY;
