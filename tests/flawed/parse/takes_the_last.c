/* breaks: same-key-twice */
/* Of a key that is twice it takes one. */
#define FLAW TAKES_THE_LAST
#include "plain_parse.h"
