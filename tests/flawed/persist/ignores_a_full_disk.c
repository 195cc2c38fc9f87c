/* breaks: full-disk */
/* It does not look at what write() returns. */
#define FLAW IGNORES_A_FULL_DISK
#include "plain_store.h"
