/* breaks: one-id-at-once */
/* Between its look for a duplicate and the insert another thread comes in. */
#define FLAW CHECKS_THEN_INSERTS
#include "plain_store.h"
