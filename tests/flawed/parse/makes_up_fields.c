/* breaks: wrong-fields */
/* It has defaults for what is missing. */
#include "plain_parse.h"

const enum flaw flaw = MAKES_UP_FIELDS;
