/* breaks: table */
/* Its summary is no phrase. */
#include "plain_auth.h"

const enum flaw flaw = NONE;
const char summary[] = "This stage verifies signatures.";
