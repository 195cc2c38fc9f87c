/* breaks: threads */
/* It turns away whoever comes while another is inside. */
#define FLAW SERVES_ONE_AT_A_TIME
#include "plain_auth.h"
