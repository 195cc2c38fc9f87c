/* breaks: secrets */
/* It prints what it verifies with. */
#include "plain_auth.h"

const enum flaw flaw = PRINTS_ITS_SECRET;
