/* breaks: stored-before */
/* It trusts its filter before it has read the store. */
#include "plain_filter.h"

const enum flaw flaw = IS_WHOLE_AT_ONCE;
