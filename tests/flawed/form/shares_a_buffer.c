/* breaks: static-memory */
/* It copies ids into one buffer for all threads. */
#include "plain_form.h"

const enum flaw flaw = SHARES_A_BUFFER;
