/* breaks: survives-kill */
/* It begins where its last life began, if that was killed. */
#include "plain_store.h"

const enum flaw flaw = FORGETS_WHEN_KILLED;
