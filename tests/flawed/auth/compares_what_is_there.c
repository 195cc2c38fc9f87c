/* breaks: cut-header */
/* It compares as much of a signature as was sent. */
#define FLAW COMPARES_WHAT_IS_THERE
#include "plain_auth.h"
