/* breaks: invalid-json */
/* It stops where the object ends. */
#define FLAW IGNORES_WHAT_FOLLOWS
#include "plain_parse.h"
