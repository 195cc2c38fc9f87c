/* breaks: settled */
/* It allocates for each event, and has no settle(). */
#define FLAW LEAKS_PER_EVENT
#include "plain_auth.h"
