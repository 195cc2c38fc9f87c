/* breaks: lost-connection */
/* It says PASS for what went into a connection that is gone. */
#define FLAW IGNORES_A_CUT
#include "plain_store.h"
