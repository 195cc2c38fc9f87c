/* breaks: older-copy */
/* An older copy of its file is the same store to it. */
#include "plain_store.h"

const enum flaw flaw = ANNOUNCES_ITS_PATH;
