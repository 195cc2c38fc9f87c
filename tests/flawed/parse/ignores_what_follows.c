/* breaks: invalid-json */
/* It stops where the object ends. */
#include "plain_parse.h"

const enum flaw flaw = IGNORES_WHAT_FOLLOWS;
