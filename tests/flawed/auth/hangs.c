/* breaks: verdicts */
/* It never answers. */
#include "plain_auth.h"

const enum flaw flaw = HANGS;
