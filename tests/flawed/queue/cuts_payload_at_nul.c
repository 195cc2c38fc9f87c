/* breaks: restored */
/* It takes payloads for C strings. */
#define FLAW CUTS_AT_NUL
#include "plain_queue.h"
