/* breaks: clock-jumps */
/* A request grows older while it is verified, and by days when the clock is set. */
#include "plain_auth.h"

const enum flaw flaw = GOES_BY_THE_CLOCK;
