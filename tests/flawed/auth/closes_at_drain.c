/* breaks: drain */
/* It takes the drain for the end. */
#include "plain_auth.h"

const enum flaw flaw = CLOSES_AT_DRAIN;
