/* breaks: many-threads */
/* It writes signatures into one buffer for all threads. */
#define FLAW SHARES_A_BUFFER
#include "plain_auth.h"
