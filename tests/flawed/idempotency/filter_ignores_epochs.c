/* breaks: stored-elsewhere */
/* It trusts its filter, whatever has become of the store. */
#include "plain_filter.h"

const enum flaw flaw = IGNORES_EPOCHS;
