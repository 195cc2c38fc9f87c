/* breaks: changed-header */
/* It compares the first characters of a signature. */
#include "plain_auth.h"

const enum flaw flaw = COMPARES_THE_START;
