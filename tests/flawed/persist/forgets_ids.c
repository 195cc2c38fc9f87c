/* breaks: duplicate */
/* It knows duplicates only of what it has stored since its start. */
#include "plain_store.h"

const enum flaw flaw = FORGETS_IDS;
