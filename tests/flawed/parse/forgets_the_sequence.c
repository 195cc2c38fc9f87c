/* breaks: fields */
/* It does not say that there is a sequence. */
#include "plain_parse.h"

const enum flaw flaw = FORGETS_THE_SEQUENCE;
