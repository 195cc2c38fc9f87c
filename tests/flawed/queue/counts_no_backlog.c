/* breaks: backlog */
/* It does not count events of its last life before they are taken. */
#include "plain_queue.h"

const enum flaw flaw = COUNTS_NO_BACKLOG;
