/* breaks: verdicts */
/* It ends the process. */
#include "plain_auth.h"

const enum flaw flaw = EXITS;
