/* breaks: audit */
/* Its audit rows cover one event of each transaction. */
#define FLAW COVERS_THE_FIRST
#include "plain_store.h"
