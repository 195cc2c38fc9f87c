/* breaks: order */
/* It stores a batch back to front. */
#define FLAW REORDERS
#include "plain_store.h"
