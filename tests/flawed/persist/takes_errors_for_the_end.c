/* breaks: read-error */
/* Where it cannot read on, its file ends for it. */
#include "plain_store.h"

const enum flaw flaw = TAKES_ERRORS_FOR_THE_END;
