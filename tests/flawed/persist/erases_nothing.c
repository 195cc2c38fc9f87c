/* breaks: erase */
/* It says that it has erased its place, and all is still there. */
#include "plain_store.h"

const enum flaw flaw = ERASES_NOTHING;
