/* breaks: erase-refused */
/* It erases whatever it is asked to. */
#include "plain_store.h"

const enum flaw flaw = ERASES_ANYTHING;
