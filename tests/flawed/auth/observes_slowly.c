/* breaks: observe */
/* Its observe() waits. */
#include "plain_auth.h"

const enum flaw flaw = OBSERVES_SLOWLY;
