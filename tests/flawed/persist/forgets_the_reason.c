/* breaks: letters */
/* It lists dead letters without their reason. */
#include "plain_store.h"

const enum flaw flaw = FORGETS_THE_REASON;
