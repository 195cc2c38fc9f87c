/* breaks: measure */
/* It measures, and shows nothing. */
#include "plain_store.h"

const enum flaw flaw = MEASURES_NOTHING;
