/* breaks: header-case */
/* It looks for header names as the documentation writes them. */
#include "plain_auth.h"

const enum flaw flaw = WANTS_ITS_CASE;
