/* breaks: batch-sizes */
/* It takes a batch to end one event before its end. */
#define FLAW FORGETS_THE_LAST
#include "plain_store.h"
