/* breaks: valid-json */
/* To it a body begins with a brace. */
#include "plain_parse.h"

const enum flaw flaw = REFUSES_WHITE_SPACE;
