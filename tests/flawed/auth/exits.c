/* breaks: verdicts */
/* It ends the process. */
#define FLAW EXITS
#include "plain_auth.h"
