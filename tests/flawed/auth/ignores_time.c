/* breaks: stale */
/* It does not look at when a request was signed. */
#include "plain_auth.h"

const enum flaw flaw = IGNORES_TIME;
