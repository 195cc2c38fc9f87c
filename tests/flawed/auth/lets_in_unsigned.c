/* breaks: missing-header */
/* What has no signature has no wrong one. */
#define FLAW LETS_IN_UNSIGNED
#include "plain_auth.h"
