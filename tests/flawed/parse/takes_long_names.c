/* breaks: limits */
/* It has no bound for ids. */
#define FLAW TAKES_LONG_NAMES
#include "plain_parse.h"
