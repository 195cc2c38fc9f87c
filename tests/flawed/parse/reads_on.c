/* breaks: cut-body */
/* It looks behind the end of a body that has none. */
#include "plain_parse.h"

const enum flaw flaw = READS_ON;
