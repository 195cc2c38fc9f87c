/* breaks: verdicts */
/* It has its own idea of DONE. */
#define FLAW SAYS_DONE
#include "plain_auth.h"
