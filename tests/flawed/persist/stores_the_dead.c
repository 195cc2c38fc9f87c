/* breaks: dead-letters */
/* It keeps dead letters as events. */
#include "plain_store.h"

const enum flaw flaw = STORES_THE_DEAD;
