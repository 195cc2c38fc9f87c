/* breaks: tick */
/* Its tick() asks to be called again at a time that has passed. */
#include "plain_auth.h"

const enum flaw flaw = TICKS_BACKWARDS;
