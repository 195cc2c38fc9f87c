/* breaks: duplicate */
/* It knows duplicates only of what it has stored since its start. */
#define FLAW FORGETS_IDS
#include "plain_store.h"
