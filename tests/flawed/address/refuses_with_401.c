/* breaks: stated */
/* Its author says that it refuses with 403. */
#include "plain_address.h"

const enum flaw flaw = REFUSES_WITH_401;
