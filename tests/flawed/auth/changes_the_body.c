/* breaks: untouched */
/* It ends the body with a newline, in place. */
#define FLAW CHANGES_THE_BODY
#include "plain_auth.h"
