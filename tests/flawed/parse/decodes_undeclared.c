/* breaks: payload-in-body */
/* It copies the payload, and does not declare that it decodes it. */
#include "plain_parse.h"

const enum flaw flaw = COPIES_THE_PAYLOAD;
