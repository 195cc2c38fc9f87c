/* breaks: audit-heads */
/* A tail that is cut off its chain would not show. */
#include "plain_store.h"

const enum flaw flaw = LOGS_NO_HEAD;
