/* breaks: observe */
/* Its observe() waits. */
#define FLAW OBSERVES_SLOWLY
#include "plain_auth.h"
