/* breaks: drain */
/* It takes the drain for the end. */
#define FLAW CLOSES_AT_DRAIN
#include "plain_auth.h"
