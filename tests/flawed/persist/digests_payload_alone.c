/* breaks: digest */
/* It has a digest of its own, over less than the rule says. */
#include "plain_store.h"

const enum flaw flaw = DIGESTS_THE_PAYLOAD;
