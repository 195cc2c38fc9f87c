/* breaks: lost-connection */
/* It says PASS for what went into a connection that is gone. */
#include "plain_store.h"

const enum flaw flaw = IGNORES_A_CUT;
