/* breaks: tend */
/* Being tended costs it half of what it keeps. */
#include "plain_store.h"

const enum flaw flaw = DROPS_WHEN_TENDED;
