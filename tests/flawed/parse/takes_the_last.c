/* breaks: duplicate-key */
/* Of a key given twice it takes one. */
#include "plain_parse.h"

const enum flaw flaw = TAKES_THE_LAST;
