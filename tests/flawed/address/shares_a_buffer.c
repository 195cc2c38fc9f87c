/* breaks: static-memory */
/* It reads addresses into one buffer for all threads. */
#include "plain_address.h"

const enum flaw flaw = SHARES_A_BUFFER;
