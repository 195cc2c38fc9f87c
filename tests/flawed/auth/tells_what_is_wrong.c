/* breaks: one-answer */
/* It helps whoever tries out signatures. */
#define FLAW TELLS_WHAT_IS_WRONG
#include "plain_auth.h"
