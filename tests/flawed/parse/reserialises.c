/* breaks: exact-bytes */
/* Its payload has no white space any more. */
#define FLAW RESERIALISES
#include "plain_parse.h"
