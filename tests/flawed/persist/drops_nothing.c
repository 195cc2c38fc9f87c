/* breaks: drop */
/* It says that it has dropped its location, and all rows are still there. */
#include "plain_store.h"

const enum flaw flaw = DROPS_NOTHING;
