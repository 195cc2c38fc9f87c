/* breaks: conflict */
/* It updates what is stored under an id. */
#define FLAW OVERWRITES
#include "plain_store.h"
