/* breaks: drop-refused */
/* It drops whatever it is asked to. */
#include "plain_store.h"

const enum flaw flaw = DROPS_ANYTHING;
