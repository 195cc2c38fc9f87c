/* breaks: missing-header */
/* What has no signature has no wrong one. */
#include "plain_auth.h"

const enum flaw flaw = LETS_IN_UNSIGNED;
