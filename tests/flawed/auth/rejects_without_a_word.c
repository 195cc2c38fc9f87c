/* breaks: verdicts */
/* It says REJECT, with neither status nor reason. */
#include "plain_auth.h"

const enum flaw flaw = REJECTS_WITHOUT_A_WORD;
