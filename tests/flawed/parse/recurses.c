/* breaks: depth */
/* It looks into arrays with a stack frame for each. */
#define FLAW RECURSES
#include "plain_parse.h"
