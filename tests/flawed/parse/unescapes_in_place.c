/* breaks: untouched */
/* It unescapes ids in the body itself. */
#include "plain_parse.h"

const enum flaw flaw = UNESCAPES_IN_PLACE;
