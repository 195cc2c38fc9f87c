/* breaks: networks */
/* It takes the word of a header for where a request comes from. */
#include "plain_address.h"

const enum flaw flaw = TAKES_THE_LEFTMOST;
