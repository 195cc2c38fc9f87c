/* breaks: audit */
/* It does not chain its audit rows. */
#include "plain_store.h"

const enum flaw flaw = BREAKS_THE_CHAIN;
