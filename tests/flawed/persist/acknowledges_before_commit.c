/* breaks: readable-at-once */
/* It says PASS and writes later. */
#include "plain_store.h"

const enum flaw flaw = ACKNOWLEDGES_FIRST;
