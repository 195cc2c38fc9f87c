/* breaks: create-destroy */
/* Its destroy() frees nothing. */
#define FLAW LEAKS_ITS_STATE
#include "plain_auth.h"
