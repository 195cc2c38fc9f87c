/* breaks: conflict */
/* It updates what is stored under an id. */
#include "plain_store.h"

const enum flaw flaw = OVERWRITES;
