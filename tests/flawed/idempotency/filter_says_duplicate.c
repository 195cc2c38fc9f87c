/* breaks: store-lacks */
/* What the filter has is a duplicate to it, whatever the store has. */
#include "plain_filter.h"

const enum flaw flaw = SAYS_DUPLICATE;
