/* breaks: dead-letters */
/* It keeps dead letters as events. */
#define FLAW STORES_THE_DEAD
#include "plain_store.h"
