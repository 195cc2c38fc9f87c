/* breaks: doubled-header */
/* What it verifies is the first of two headers that contradict each other. */
#include "plain_auth.h"

const enum flaw flaw = TAKES_THE_FIRST_OF_TWO;
