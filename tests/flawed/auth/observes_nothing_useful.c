/* breaks: observe */
/* Its gauge has a name that is no metric name. */
#define FLAW OBSERVES_NOTHING_USEFUL
#include "plain_auth.h"
