/* breaks: depth */
/* It looks into arrays with a stack frame for each. */
#include "plain_parse.h"

const enum flaw flaw = RECURSES;
