/* breaks: response */
/* It sets a header that is the server's. */
#include "plain_auth.h"

const enum flaw flaw = SETS_THE_LENGTH;
