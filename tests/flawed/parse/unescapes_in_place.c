/* breaks: untouched */
/* It unescapes ids in the body itself. */
#define FLAW UNESCAPES_IN_PLACE
#include "plain_parse.h"
