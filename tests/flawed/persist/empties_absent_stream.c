/* breaks: fields */
/* It stores an event of no stream as one of the stream "". */
#define FLAW EMPTIES_WHAT_IS_ABSENT
#include "plain_store.h"
