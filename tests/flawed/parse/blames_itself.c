/* breaks: random-bodies */
/* It says FAIL where the sender is at fault. */
#define FLAW BLAMES_ITSELF
#include "plain_parse.h"
