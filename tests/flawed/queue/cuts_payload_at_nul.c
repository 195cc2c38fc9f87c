/* breaks: restored */
/* It takes payloads for C strings. */
#include "plain_queue.h"

const enum flaw flaw = CUTS_AT_NUL;
