/* breaks: many-files */
/* It looks for an id in the newest of its files. */
#include "plain_store.h"

const enum flaw flaw = KNOWS_ITS_NEWEST_FILE;
