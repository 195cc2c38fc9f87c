/* breaks: keeps-nothing */
/* It remembers where the last signature lay. */
#include "plain_auth.h"

const enum flaw flaw = KEEPS_A_POINTER;
