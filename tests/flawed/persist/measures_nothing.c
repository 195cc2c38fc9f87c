/* breaks: measure */
/* It measures, and shows nothing. */
#define FLAW MEASURES_NOTHING
#include "plain_store.h"
