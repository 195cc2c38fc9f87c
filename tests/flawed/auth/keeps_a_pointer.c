/* breaks: keeps-nothing */
/* It remembers where the last signature lay. */
#define FLAW KEEPS_A_POINTER
#include "plain_auth.h"
