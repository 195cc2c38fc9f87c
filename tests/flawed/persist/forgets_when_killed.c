/* breaks: survives-kill */
/* It begins where its last life began, if that was killed. */
#define FLAW FORGETS_WHEN_KILLED
#include "plain_store.h"
