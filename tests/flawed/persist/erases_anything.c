/* breaks: erase-refused */
/* It erases whatever it is asked to. */
#define FLAW ERASES_ANYTHING
#include "plain_store.h"
