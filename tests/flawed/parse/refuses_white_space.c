/* breaks: valid-json */
/* To it a body begins with a brace. */
#define FLAW REFUSES_WHITE_SPACE
#include "plain_parse.h"
