/* breaks: secret-names */
/* Its secret is an option like any other. */
#include "plain_auth.h"

const enum flaw flaw = SHOWS_ITS_KEYS;
