/* breaks: cut-header */
/* It compares as much of a signature as was sent. */
#include "plain_auth.h"

const enum flaw flaw = COMPARES_WHAT_IS_THERE;
