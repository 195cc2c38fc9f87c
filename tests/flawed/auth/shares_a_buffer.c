/* breaks: many-threads */
/* It writes signatures into one buffer for all threads. */
#include "plain_auth.h"

const enum flaw flaw = SHARES_A_BUFFER;
