/* breaks: measure */
/* Measuring leaves a file behind. */
#define FLAW WRITES_WHAT_IT_MEASURES
#include "plain_store.h"
