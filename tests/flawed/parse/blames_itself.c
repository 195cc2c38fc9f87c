/* breaks: random-bodies */
/* It says FAIL where the sender is at fault. */
#include "plain_parse.h"

const enum flaw flaw = BLAMES_ITSELF;
