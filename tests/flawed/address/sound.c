/* breaks: nothing */
/* It keeps every promise, and knows no secret. */
#include "plain_address.h"

const enum flaw flaw = NONE;
