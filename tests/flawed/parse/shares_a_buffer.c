/* breaks: many-threads */
/* It copies ids into one buffer for all threads. */
#define FLAW SHARES_A_BUFFER
#include "plain_parse.h"
