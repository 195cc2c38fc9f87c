/* breaks: limits */
/* It has no bound for ids. */
#include "plain_parse.h"

const enum flaw flaw = TAKES_LONG_NAMES;
