/* breaks: changed-body */
/* It verifies what a serializer makes of the body. */
#include "plain_auth.h"

const enum flaw flaw = RESERIALISES;
