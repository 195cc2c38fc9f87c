/* breaks: fields */
/* It stores an event of no stream as one of the stream "". */
#include "plain_store.h"

const enum flaw flaw = EMPTIES_WHAT_IS_ABSENT;
