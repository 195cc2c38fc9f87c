/* breaks: nothing */
/* It keeps every promise: what the others break is theirs alone. */
#include "plain_filter.h"

const enum flaw flaw = NONE;
