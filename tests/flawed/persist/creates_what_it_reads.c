/* breaks: read-only */
/* Opened to be read, it makes the file. */
#include "plain_store.h"

const enum flaw flaw = CREATES_WHAT_IT_READS;
