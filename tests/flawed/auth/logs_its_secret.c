/* breaks: secrets */
/* It logs what it verifies with. */
#define FLAW LOGS_ITS_SECRET
#include "plain_auth.h"
