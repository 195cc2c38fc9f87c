/* breaks: create-fails */
/* A create() that fails leaves a descriptor open. */
#define FLAW LEAKS_A_DESCRIPTOR
#include "plain_auth.h"
