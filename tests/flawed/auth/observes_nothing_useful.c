/* breaks: observe */
/* Its gauge has a name that is no metric name. */
#include "plain_auth.h"

const enum flaw flaw = OBSERVES_NOTHING_USEFUL;
