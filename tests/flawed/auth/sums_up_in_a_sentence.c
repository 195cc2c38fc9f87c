/* breaks: table */
/* Its summary is no phrase. */
#define FLAW SUMS_UP_IN_A_SENTENCE
#include "plain_auth.h"
