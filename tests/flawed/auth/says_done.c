/* breaks: verdicts */
/* It has its own idea of DONE. */
#include "plain_auth.h"

const enum flaw flaw = SAYS_DONE;
