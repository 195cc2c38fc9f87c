/* breaks: changed-header */
/* It compares the first characters of a signature. */
#define FLAW COMPARES_THE_START
#include "plain_auth.h"
