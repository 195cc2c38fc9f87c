/* breaks: wrong-fields */
/* It has defaults for what is missing. */
#define FLAW MAKES_UP_FIELDS
#include "plain_parse.h"
