/* breaks: duplicate */
/* It has no unique key. */
#define FLAW STORES_DUPLICATES
#include "plain_store.h"
