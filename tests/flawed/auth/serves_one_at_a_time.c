/* breaks: threads */
/* It turns away whoever comes while another is inside. */
#include "plain_auth.h"

const enum flaw flaw = SERVES_ONE_AT_A_TIME;
