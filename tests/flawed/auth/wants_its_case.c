/* breaks: header-case */
/* It looks for header names as the documentation writes them. */
#define FLAW WANTS_ITS_CASE
#include "plain_auth.h"
