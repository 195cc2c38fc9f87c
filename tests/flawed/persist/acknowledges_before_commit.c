/* breaks: readable-at-once */
/* It says PASS and writes later. */
#define FLAW ACKNOWLEDGES_FIRST
#include "plain_store.h"
