/* breaks: tend */
/* Being tended costs it half of what it keeps. */
#define FLAW DROPS_WHEN_TENDED
#include "plain_store.h"
