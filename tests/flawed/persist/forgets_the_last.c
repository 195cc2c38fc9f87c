/* breaks: batch-sizes */
/* It takes a batch to end one event before its end. */
#include "plain_store.h"

const enum flaw flaw = FORGETS_THE_LAST;
