/* breaks: create-destroy */
/* Its destroy() frees nothing. */
#include "plain_auth.h"

const enum flaw flaw = LEAKS_ITS_STATE;
