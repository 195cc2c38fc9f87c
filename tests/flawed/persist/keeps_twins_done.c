/* breaks: failing-disk */
/* Its batch fails, and the twin of an event in it stays DONE. */
#include "plain_store.h"

const enum flaw flaw = KEEPS_TWINS_DONE;
