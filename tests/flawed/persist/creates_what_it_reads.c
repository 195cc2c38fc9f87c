/* breaks: read-only */
/* Opened to be read, it makes the file. */
#define FLAW CREATES_WHAT_IT_READS
#include "plain_store.h"
