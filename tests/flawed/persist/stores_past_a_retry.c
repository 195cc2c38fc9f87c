/* breaks: retry-holds */
/* It goes on behind an event that could not be stored. */
#include "plain_store.h"

const enum flaw flaw = STORES_PAST_A_RETRY;
