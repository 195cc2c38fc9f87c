/* breaks: create-fails */
/* A create() that fails leaves a descriptor open. */
#include "plain_auth.h"

const enum flaw flaw = LEAKS_A_DESCRIPTOR;
