/* breaks: secrets */
/* It prints what it verifies with. */
#define FLAW PRINTS_ITS_SECRET
#include "plain_auth.h"
