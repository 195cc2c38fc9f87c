/* breaks: two-processes */
/* It has no lock against another process. */
#include "plain_store.h"

const enum flaw flaw = IGNORES_OTHERS;
