/* breaks: older-copy */
/* It goes on with the file that it has, though another stands in its place. */
#include "plain_table.h"

const enum flaw flaw = KEEPS_ITS_FILE_OPEN;
