/* breaks: networks */
/* It compares whole bytes of a network. */
#include "plain_address.h"

const enum flaw flaw = IGNORES_BITS;
