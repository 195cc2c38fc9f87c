/* breaks: fields */
/* It does not say that there is a sequence. */
#define FLAW FORGETS_THE_SEQUENCE
#include "plain_parse.h"
