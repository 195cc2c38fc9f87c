/* breaks: full-disk */
/* It does not look at what write() returns. */
#include "plain_store.h"

const enum flaw flaw = IGNORES_A_FULL_DISK;
