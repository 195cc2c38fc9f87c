/* breaks: digest */
/* It has a digest of its own, over less than the rule says. */
#define FLAW DIGESTS_THE_PAYLOAD
#include "plain_store.h"
