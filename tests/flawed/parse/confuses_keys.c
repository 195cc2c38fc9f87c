/* breaks: duplicate-key */
/* It compares keys in a copy in which U+0000 is U+FDD0. */
#include "plain_parse.h"

const enum flaw flaw = CONFUSES_KEYS;
