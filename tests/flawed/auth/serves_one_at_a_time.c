/* breaks: threads */
/* It rejects every event that comes while another is inside. */
#include "plain_auth.h"

const enum flaw flaw = SERVES_ONE_AT_A_TIME;
