/* breaks: audit */
/* Its audit rows cover one event of each transaction. */
#include "plain_store.h"

const enum flaw flaw = COVERS_THE_FIRST;
