/* breaks: stale */
/* It does not look at when a request was signed. */
#define FLAW IGNORES_TIME
#include "plain_auth.h"
