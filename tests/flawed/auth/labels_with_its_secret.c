/* breaks: credential */
/* It takes the secret itself for the label of the credential. */
#include "plain_auth.h"

const enum flaw flaw = LABELS_WITH_ITS_SECRET;
