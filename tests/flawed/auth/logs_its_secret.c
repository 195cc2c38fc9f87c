/* breaks: secrets */
/* It logs what it verifies with. */
#include "plain_auth.h"

const enum flaw flaw = LOGS_ITS_SECRET;
