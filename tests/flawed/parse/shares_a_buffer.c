/* breaks: many-threads */
/* It copies ids into one buffer for all threads. */
#include "plain_parse.h"

const enum flaw flaw = SHARES_A_BUFFER;
