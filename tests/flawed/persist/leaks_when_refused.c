/* breaks: unreachable */
/* A create() that fails leaves a descriptor open. */
#include "plain_store.h"

const enum flaw flaw = LEAKS_WHEN_REFUSED;
