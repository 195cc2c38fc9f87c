/* breaks: audit */
/* It does not chain its audit rows. */
#define FLAW BREAKS_THE_CHAIN
#include "plain_store.h"
