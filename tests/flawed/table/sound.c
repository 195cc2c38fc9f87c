/* breaks: nothing */
/* It keeps every promise, and knows after a restart what it knew. */
#include "plain_table.h"

const enum flaw flaw = NONE;
