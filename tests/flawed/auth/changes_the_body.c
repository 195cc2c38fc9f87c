/* breaks: untouched */
/* It ends the body with a newline, in place. */
#include "plain_auth.h"

const enum flaw flaw = CHANGES_THE_BODY;
