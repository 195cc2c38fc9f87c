/* breaks: changed-body */
/* It verifies what a serializer makes of the body. */
#define FLAW RESERIALISES
#include "plain_auth.h"
