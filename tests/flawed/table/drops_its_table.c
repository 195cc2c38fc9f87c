/* breaks: remembers */
/* It begins with an empty file. */
#include "plain_table.h"

const enum flaw flaw = DROPS_ITS_TABLE;
