/* breaks: verdicts */
/* It says REJECT, with neither status nor reason. */
#define FLAW REJECTS_WITHOUT_A_WORD
#include "plain_auth.h"
