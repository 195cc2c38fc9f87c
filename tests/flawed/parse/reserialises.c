/* breaks: exact-bytes */
/* Its payload has no white space any more. */
#include "plain_parse.h"

const enum flaw flaw = RESERIALISES;
