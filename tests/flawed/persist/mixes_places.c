/* breaks: place */
/* All places made for a laboratory are one to it. */
#define FLAW MIXES_PLACES
#include "plain_store.h"
