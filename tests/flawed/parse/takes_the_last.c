/* breaks: same-key-twice */
/* Of a key that is twice it takes one. */
#include "plain_parse.h"

const enum flaw flaw = TAKES_THE_LAST;
