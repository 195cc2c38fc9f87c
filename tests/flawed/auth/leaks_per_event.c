/* breaks: settled */
/* It allocates for each event, and has no settle(). */
#include "plain_auth.h"

const enum flaw flaw = LEAKS_PER_EVENT;
