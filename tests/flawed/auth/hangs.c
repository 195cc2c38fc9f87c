/* breaks: verdicts */
/* It never answers. */
#define FLAW HANGS
#include "plain_auth.h"
