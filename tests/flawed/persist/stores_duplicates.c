/* breaks: duplicate */
/* It has no unique key. */
#include "plain_store.h"

const enum flaw flaw = STORES_DUPLICATES;
