/* breaks: cut-body */
/* It looks behind the end of a body that has none. */
#define FLAW READS_ON
#include "plain_parse.h"
