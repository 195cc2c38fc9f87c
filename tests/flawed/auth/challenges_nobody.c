/* breaks: challenge */
/* Its 401 names no way to authenticate. */
#include "plain_auth.h"

const enum flaw flaw = CHALLENGES_NOBODY;
