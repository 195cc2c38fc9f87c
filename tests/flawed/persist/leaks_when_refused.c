/* breaks: unreachable */
/* A create() that fails leaves a descriptor open. */
#define FLAW LEAKS_WHEN_REFUSED
#include "plain_store.h"
