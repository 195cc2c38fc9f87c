/* breaks: erase */
/* It says that it has erased its place, and all is still there. */
#define FLAW ERASES_NOTHING
#include "plain_store.h"
