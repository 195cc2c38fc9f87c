/* breaks: read-error */
/* What it cannot read is new to it. */
#include "plain_table.h"

const enum flaw flaw = TAKES_ERRORS_FOR_UNKNOWN;
