/* breaks: retry-holds */
/* It goes on behind an event that could not be stored. */
#define FLAW STORES_PAST_A_RETRY
#include "plain_store.h"
