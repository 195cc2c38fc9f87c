/* breaks: order */
/* It stores a batch back to front. */
#include "plain_store.h"

const enum flaw flaw = REORDERS;
