/* breaks: response */
/* It responds to the sender itself, and lets the event go on. */
#include "plain_auth.h"

const enum flaw flaw = RESPONDS_AND_PASSES;
